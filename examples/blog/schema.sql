-- The blog as the API shows it: schema `api`. What nobody may see is in schema `private`.

create schema if not exists api;
create schema if not exists private authorization blog_accounts;
grant usage on schema api to anon, blog_author, blog_accounts;

-- A user's database role is a prefix and the user's id: no two users share one, and it never gets near 63 bytes.
create or replace function private.role_of(user_id bigint) returns name
language sql immutable
return ('blog_user_' || user_id::text)::name;

-- The other way round; null for a role that is no user's.
create or replace function private.user_of(role name) returns bigint
language sql immutable
return substring(role::text from '^blog_user_([0-9]{1,18})$')::bigint;

-- Everything in it is public: what is not (e-mail address, password) is in private.account.
create table if not exists api."user" (
  id bigint generated always as identity primary key,
  name text not null check (name <> ''),
  last_name text,
  age int check (age between 0 and 150),
  paid boolean not null default false
);

create table if not exists api.post (
  id bigint generated always as identity primary key,
  owner name not null default current_user,
  user_id bigint not null default private.user_of(current_user) references api."user",
  title text not null check (title <> ''),
  body text not null default '',
  published boolean not null default false,
  -- The owner counts for the policies and the user is shown as the author: nobody writes in another's name.
  constraint post_owner_is_user check (owner = private.role_of(user_id))
);
create index if not exists post_user_id_idx on api.post (user_id);
create index if not exists post_owner_idx on api.post (owner);

alter table api.post enable row level security;

drop policy if exists owner on api.post;
create policy owner on api.post using (owner = current_user);

drop policy if exists published on api.post;
create policy published on api.post for select using (published);

-- security_invoker: the policies see whoever asks, not the view's owner.
create or replace view api.published_post with (security_invoker = true) as
  select post.id, post.title, post.body, post.user_id, concat_ws(' ', author.name, author.last_name) as author
  from api.post
  join api."user" as author on author.id = post.user_id
  where post.published;

create or replace function api.add_them(a int, b int) returns int
language sql immutable
return a + b;

-- A function is everybody's to execute unless that is taken back.
revoke execute on function api.add_them from public;
grant execute on function api.add_them to anon, blog_author;

grant select on api."user", api.post, api.published_post to anon, blog_author;
-- Anybody may put a user on the list, without a say in `paid`; such a user has no role and cannot log in.
grant insert (name, last_name, age) on api."user" to anon, blog_author;
grant insert, update, delete on api.post to blog_author;
