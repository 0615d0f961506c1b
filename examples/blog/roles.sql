-- Who there is. Run this, schema.sql, accounts.sql and data.sql in this order, as a superuser, in one database of a server:
-- roles belong to the whole server, so two blogs on one server would share them. Each file may be run again.

do $$
begin
  -- The login role of the API. It switches to one of the roles below for each request and can do nothing by itself.
  if to_regrole('authenticator') is null then create role authenticator; end if;
  -- Requests without a token.
  if to_regrole('anon') is null then create role anon; end if;
  -- What every signed-up user may do; the role of each is a member of it.
  if to_regrole('blog_author') is null then create role blog_author; end if;
  -- Owns the accounts and the two functions that work on them (accounts.sql). Nobody logs in as it or switches to it.
  if to_regrole('blog_accounts') is null then create role blog_accounts; end if;
end
$$;

-- NOINHERIT before the grants: from PostgreSQL 16 on, it is the grant that keeps what the member was at that moment.
alter role authenticator login noinherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
alter role anon nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
alter role blog_author nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
-- CREATEROLE, and no superuser: it is the smallest right with which sign-up can give a user a role.
alter role blog_accounts nologin noinherit createrole nosuperuser nocreatedb noreplication nobypassrls;

grant anon to authenticator;
-- From PostgreSQL 16 on, CREATEROLE grants only roles that it has the ADMIN OPTION on: those it made, and this one.
grant blog_author to blog_accounts with admin option;
