-- Something to look at: 60 users and 120 posts, loaded only into an empty blog. The first two users have signed up (their
-- passwords are public: this is a demonstration); the others have neither an account nor a role.

do $$
declare
  names constant text[] := array[
    'Alan', 'Barbara', 'Donald', 'Edsger', 'Frances', 'Hedy', 'Ivan', 'Jean', 'Katherine', 'Leslie',
    'Margaret', 'Niklaus', 'Radia', 'Sophie', 'Tony', 'Vint', 'Whitfield', 'Yukihiro', 'Zuse'
  ];
  last_names constant text[] := array[
    'Allen', 'Bartik', 'Codd', 'Diffie', 'Engelbart', 'Floyd', 'Goldberg', 'Hamilton', 'Johnson', 'Kay',
    'Lamport', 'Moore', 'Naur', 'Perlis', 'Ritchie', 'Sutherland', 'Thompson', 'Wilson', 'Wirth', 'Zadeh', 'Doe'
  ];
  subjects constant text[] := array[
    'A walk along the river', 'Bread without a recipe', 'Repairing an old radio', 'Notes on a long train ride',
    'The library at night', 'Growing beans on a balcony', 'How I learned to whistle'
  ];
begin
  if exists (select from api."user") then return; end if;

  perform api.signup('ada@example.com', 'analytical engine', 'Ada', 'Lovelace', 36);
  perform api.signup('grace@example.com', 'nanoseconds', 'Grace', 'Hopper', 85);

  insert into api."user" (name, last_name, age, paid)
  select names[1 + n % cardinality(names)], last_names[1 + n % cardinality(last_names)], 9 + n * 7 % 61, n % 3 = 0
  from generate_series(3, 60) as n;
  update api."user" set paid = true where id <= 2;

  insert into api.post (owner, user_id, title, body, published)
  values
    (private.role_of(1), 1, 'Note G', 'An algorithm for the numbers of Bernoulli.', true),
    (private.role_of(1), 1, 'Diagram of development', 'Not finished yet.', false),
    (private.role_of(2), 2, 'A moth in relay 70', 'First actual case of a bug being found.', true),
    (private.role_of(2), 2, 'Eleven inches of wire', 'As far as light gets in a nanosecond.', false);

  insert into api.post (owner, user_id, title, body, published)
  select private.role_of(author.id), author.id, subjects[1 + n % cardinality(subjects)],
    format('Part %s, by %s %s.', 1 + n / 58, author.name, author.last_name), n % 4 <> 0
  from generate_series(0, 115) as n
  join api."user" as author on author.id = 3 + n % 58
  order by n;
end
$$;
