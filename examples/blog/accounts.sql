-- Signing up and logging in. Both functions run as blog_accounts, the only role that can read schema `private`. They qualify
-- every name and fix their search_path, since they run with more rights than their caller.

create extension if not exists pgcrypto with schema private;

create table if not exists private.account (
  user_id bigint primary key references api."user" on delete cascade,
  -- lower case
  email text not null unique,
  -- bcrypt
  password_hash text not null
);

-- One row.
create table if not exists private.settings (
  the_row boolean primary key default true check (the_row),
  -- Signs the tokens with HS256; PGRST_JWT_SECRET must be the same. A setting of the database would not do: every role can
  -- read those.
  jwt_secret text not null default encode(private.gen_random_bytes(32), 'hex'),
  token_lifetime interval not null default '8 hours',
  -- The hash of a password that nobody knows, for log-ins to accounts that do not exist: they take as long as the others.
  decoy_hash text not null default private.crypt(encode(private.gen_random_bytes(32), 'hex'), private.gen_salt('bf', 10))
);
insert into private.settings default values on conflict do nothing;

alter table private.account owner to blog_accounts;
alter table private.settings owner to blog_accounts;
grant select, insert on api."user" to blog_accounts;

create or replace function private.base64url(bytes bytea) returns text
language sql immutable strict
return translate(encode(bytes, 'base64'), E'+/=\n', '-_');

-- RFC 7515, section 3.1
create or replace function private.jwt(claims json, secret text) returns text
language sql immutable strict
begin atomic
  select signed.input || '.' || private.base64url(private.hmac(signed.input, secret, 'sha256'))
  from (
    select private.base64url(convert_to('{"alg":"HS256","typ":"JWT"}', 'UTF8')) || '.'
      || private.base64url(convert_to(claims::text, 'UTF8')) as input
  ) as signed;
end;

-- Makes the user, the account and the database role of its own, all or none. Returns the user. A public site would also limit
-- how often a stranger may call it.
create or replace function api.signup(
  email text,
  password text,
  name text,
  last_name text default null,
  age int default null
) returns api."user"
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  new_user api."user";
  role_name name;
begin
  -- Checked here and not by the table: a failed check or NOT NULL shows the row, and in it the hash, in the error's detail.
  if (signup.email ~ '^[^@[:space:]]+@[^@[:space:]]+$' and length(signup.email) <= 254) is not true then
    raise invalid_parameter_value using message = 'this is not an e-mail address';
  end if;
  -- bcrypt looks at no more than 72 bytes.
  if signup.password is null or octet_length(signup.password) not between 8 and 72 then
    raise invalid_parameter_value using message = 'a password has 8 to 72 bytes';
  end if;

  insert into api."user" (name, last_name, age)
  values (signup.name, signup.last_name, signup.age)
  returning * into new_user;

  insert into private.account (user_id, email, password_hash)
  values (new_user.id, lower(signup.email), private.crypt(signup.password, private.gen_salt('bf', 10)))
  on conflict on constraint account_email_key do nothing;
  if not found then
    raise unique_violation using message = 'this e-mail address has an account already';
  end if;

  role_name := private.role_of(new_user.id);
  execute format('create role %I nologin', role_name);
  execute format('grant blog_author to %I', role_name);
  -- The login role may switch to it, and inherits nothing from it: it is NOINHERIT.
  execute format('grant %I to authenticator', role_name);
  return new_user;
end
$$;

-- Returns a token for the user's role. An unknown address and a wrong password cannot be told apart.
create or replace function api.login(email text, password text) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  settings private.settings;
  account private.account;
  hash text;
begin
  select * into strict settings from private.settings;
  select * into account from private.account where private.account.email = lower(login.email);
  hash := coalesce(account.password_hash, settings.decoy_hash);
  if (private.crypt(login.password, hash) = hash) is not true or account.user_id is null then
    raise invalid_password using message = 'wrong e-mail address or password';
  end if;
  return private.jwt(
    json_build_object(
      'role', private.role_of(account.user_id),
      'sub', account.user_id::text,
      'iat', extract(epoch from now())::bigint,
      'exp', extract(epoch from now() + settings.token_lifetime)::bigint
    ),
    settings.jwt_secret
  );
end
$$;

alter function api.signup owner to blog_accounts;
alter function api.login owner to blog_accounts;
revoke execute on function api.signup, api.login from public;
grant execute on function api.signup, api.login to anon, blog_author;
