/** What PostgREST's documentation says of resource embedding: the examples, on a database of films. */
import { describe, expect, test } from 'vitest';
import { documented } from './server.ts';

const { get, ask } = documented(`
  create table actors (id int primary key, first_name text, last_name text);
  create table directors (id int primary key, first_name text, last_name text);
  create table films (
    id int primary key, director_id int references directors(id), title text, year int, rating numeric(3,1), language text
  );
  create table technical_specs (film_id int references films(id) primary key, runtime time, camera text, sound text);
  create table roles (
    film_id int references films(id), actor_id int references actors(id), character text, primary key (film_id, actor_id)
  );
  create table competitions (id int primary key, name text, year int);
  create table nominations (
    competition_id int references competitions(id), film_id int references films(id), rank int,
    primary key (competition_id, film_id)
  );
  create table premieres (id int, location text, date date, film_id int);
  create function film(premieres) returns setof films rows 1 stable language sql
    as 'select * from films where id = $1.film_id';
  create function premieres(films) returns setof premieres stable language sql
    as 'select * from premieres where film_id = $1.id';
  create table film_schools (id int primary key, name text);
  create table addresses (id int primary key, name text);
  create table orders (
    id int primary key, name text, billing_address_id int, shipping_address_id int,
    constraint billing foreign key (billing_address_id) references addresses(id),
    constraint shipping foreign key (shipping_address_id) references addresses(id)
  );
  create table presidents (id int primary key, last_name text, predecessor_id int references presidents(id) unique);
  create function predecessor(presidents) returns setof presidents rows 1 stable language sql
    as 'select * from presidents where id = $1.predecessor_id';
  create function successor(presidents) returns setof presidents rows 1 stable language sql
    as 'select * from presidents where predecessor_id = $1.id';
  create table employees (id int primary key, last_name text, supervisor_id int references employees(id));
  create function supervisees(employees) returns setof employees stable language sql
    as 'select * from employees where supervisor_id = $1.id';
  create function supervisor(employees) returns setof employees rows 1 stable language sql
    as 'select * from employees where id = $1.supervisor_id';
  create table users (id int primary key, username text unique);
  create table subscriptions (
    subscriber_id int references users(id), subscribed_id int references users(id), primary key (subscriber_id, subscribed_id)
  );
  create function subscribers(users) returns setof users stable language sql
    as 'select u.* from users u, subscriptions s where s.subscriber_id = u.id and s.subscribed_id = $1.id';
  create function following(users) returns setof users stable language sql
    as 'select u.* from users u, subscriptions s where s.subscribed_id = u.id and s.subscriber_id = $1.id';
  create table box_office (
    bo_date date not null, film_id int references films not null, gross_revenue decimal(12,2) not null,
    primary key (bo_date, film_id)
  ) partition by range (bo_date);
  create table box_office_2021_01 partition of box_office for values from ('2021-01-01') to ('2021-01-31');
  create table box_office_2021_02 partition of box_office for values from ('2021-02-01') to ('2021-02-28');
  create view nominations_view as
    select films.title as film_title, competitions.name as competition_name, nominations.rank,
      nominations.film_id as nominations_film_id, films.id as film_id
    from nominations join films on films.id = nominations.film_id
    join competitions on competitions.id = nominations.competition_id;
  create view nominated as select * from nominations_view where rank < 10;
  create materialized view film_titles as select id, title, director_id from films;
  create function getallfilms() returns setof films stable language sql as 'select * from films';

  insert into actors values (1, 'Willem', 'Dafoe'), (2, 'Jehanne', 'd''Alcy'), (3, 'John', 'Travolta'), (4, 'Uma', 'Thurman');
  insert into directors values (1, 'William', 'Dickson'), (2, 'Louis', 'Lumière'), (3, 'Georges', 'Méliès'),
    (4, 'Quentin', 'Tarantino'), (5, 'Robert', 'Eggers'), (6, 'John', 'Carpenter'), (40, 'Danny', 'Boyle');
  insert into films values
    (1, 2, 'Workers Leaving The Lumière Factory In Lyon', 1895, 8.2, 'french'),
    (2, 1, 'The Dickson Experimental Sound Film', 1894, 7.0, 'english'), (3, 3, 'The Haunted Castle', 1896, 6.5, 'french'),
    (4, 4, 'Pulp Fiction', 1994, 8.9, 'english'), (5, 4, 'Reservoir Dogs', 1992, 8.3, 'english'),
    (6, 5, 'The Lighthouse', 2019, 7.4, 'english'), (7, 6, 'The Thing', 1982, 8.2, 'english'), (8, null, 'Orphan', 2000, null, null);
  insert into technical_specs values (4, '02:29', 'Arriflex 35-III', 'DTS'), (5, '01:39', 'Arriflex 16', null);
  insert into roles values (6, 1, 'Thomas Wake'), (3, 2, 'Spirit'), (4, 3, 'Vincent Vega'), (4, 4, 'Mia Wallace'),
    (5, 1, 'Mr. White'), (5, 3, 'Mr. Pink');
  insert into competitions values (1, 'Cannes', 1990), (2, 'Oscars', 1991);
  insert into nominations values (1, 4, 5), (2, 4, 1), (2, 5, 5);
  insert into premieres values (1, 'Cannes Film Festival', '1994-05-21', 4);
  insert into addresses values (1, '32 Glenlake Dr.'), (2, '30 Glenlake Dr.');
  insert into orders values (1, 'Personal Water Filter', 1, 2), (2, 'Coffee Machine', 1, 1);
  insert into presidents values (1, 'Washington', null), (2, 'Adams', 1), (3, 'Jefferson', 2);
  insert into employees values (1, 'Taylor', null), (2, 'Johnson', 1), (3, 'Miller', 1);
  insert into users values (1, 'patrick109'), (2, 'alicia_smith'), (3, 'top_streamer'), (4, 'the_top_artist');
  insert into subscriptions values (1, 4), (2, 4), (4, 3);
  insert into box_office values ('2021-01-02', 4, 1500000), ('2021-02-03', 5, 10);
  refresh materialized view film_titles;
`);

const WORKERS = 'Workers Leaving The Lumière Factory In Lyon';
const john = {
  title: 'Pulp Fiction',
  actors: [{ first_name: 'John' }, { first_name: 'Uma' }],
  directors: { first_name: 'Quentin' },
};

/** Each example with its result. */
const examples: Readonly<Record<string, readonly (readonly [target: string, result: unknown])[]>> = {
  'foreign keys': [
    [
      '/films?select=title,directors(id,last_name)&id=in.(1,8)&order=id',
      [
        { title: WORKERS, directors: { id: 2, last_name: 'Lumière' } },
        { title: 'Orphan', directors: null },
      ],
    ],
    [
      '/films?select=title,director:directors(last_name)&id=eq.3',
      [{ title: 'The Haunted Castle', director: { last_name: 'Méliès' } }],
    ],
    [
      '/directors?select=last_name,films(title)&id=in.(1,40)&order=id',
      [
        { last_name: 'Dickson', films: [{ title: 'The Dickson Experimental Sound Film' }] },
        { last_name: 'Boyle', films: [] },
      ],
    ],
    [
      '/actors?select=first_name,last_name,films(title)&id=eq.1&films.order=title',
      [{ first_name: 'Willem', last_name: 'Dafoe', films: [{ title: 'Reservoir Dogs' }, { title: 'The Lighthouse' }] }],
    ],
    [
      '/films?select=title,technical_specs(camera)&id=eq.4',
      [{ title: 'Pulp Fiction', technical_specs: { camera: 'Arriflex 35-III' } }],
    ],
    [
      '/technical_specs?select=camera,films(title)&film_id=eq.4',
      [{ camera: 'Arriflex 35-III', films: { title: 'Pulp Fiction' } }],
    ],
  ],
  'computed relationships': [
    ['/premieres?select=location,film(title)', [{ location: 'Cannes Film Festival', film: { title: 'Pulp Fiction' } }]],
    [
      '/films?select=title,premieres(location)&id=eq.4',
      [{ title: 'Pulp Fiction', premieres: [{ location: 'Cannes Film Festival' }] }],
    ],
    [
      '/presidents?select=last_name,predecessor(last_name),successor(last_name)&id=eq.2',
      [{ last_name: 'Adams', predecessor: { last_name: 'Washington' }, successor: { last_name: 'Jefferson' } }],
    ],
    [
      '/employees?select=last_name,supervisees(last_name)&id=eq.1',
      [{ last_name: 'Taylor', supervisees: [{ last_name: 'Johnson' }, { last_name: 'Miller' }] }],
    ],
    [
      '/employees?select=last_name,supervisor(last_name)&id=eq.3',
      [{ last_name: 'Miller', supervisor: { last_name: 'Taylor' } }],
    ],
    [
      '/users?select=username,subscribers(username),following(username)&id=eq.4',
      [
        {
          username: 'the_top_artist',
          subscribers: [{ username: 'patrick109' }, { username: 'alicia_smith' }],
          following: [{ username: 'top_streamer' }],
        },
      ],
    ],
  ],
  'several foreign keys between the same tables': [
    [
      '/orders?select=name,billing_address:addresses!billing(name),shipping_address:addresses!shipping(name)&id=eq.1',
      [
        {
          name: 'Personal Water Filter',
          billing_address: { name: '32 Glenlake Dr.' },
          shipping_address: { name: '30 Glenlake Dr.' },
        },
      ],
    ],
    [
      '/addresses?select=name,billing_orders:orders!billing(name),shipping_orders:orders!shipping(name)&id=eq.1',
      [
        {
          name: '32 Glenlake Dr.',
          billing_orders: [{ name: 'Personal Water Filter' }, { name: 'Coffee Machine' }],
          shipping_orders: [{ name: 'Coffee Machine' }],
        },
      ],
    ],
  ],
  'partitions, views, functions': [
    [
      '/box_office?select=bo_date,gross_revenue,films(title)&gross_revenue=gte.1000000',
      [{ bo_date: '2021-01-02', gross_revenue: 1500000, films: { title: 'Pulp Fiction' } }],
    ],
    [
      '/nominations_view?select=film_title,films(language),roles(character),actors(last_name)&rank=eq.1',
      [
        {
          film_title: 'Pulp Fiction',
          films: { language: 'english' },
          roles: [{ character: 'Vincent Vega' }, { character: 'Mia Wallace' }],
          actors: [{ last_name: 'Travolta' }, { last_name: 'Thurman' }],
        },
      ],
    ],
    [
      '/nominated?select=film_title,actors(last_name)&rank=eq.1',
      [{ film_title: 'Pulp Fiction', actors: [{ last_name: 'Travolta' }, { last_name: 'Thurman' }] }],
    ],
    [
      '/film_titles?select=title,directors(last_name)&id=eq.7',
      [{ title: 'The Thing', directors: { last_name: 'Carpenter' } }],
    ],
    [
      '/rpc/getallfilms?select=title,directors(id,last_name)&title=like.*Workers*',
      [{ title: WORKERS, directors: { id: 2, last_name: 'Lumière' } }],
    ],
  ],
  'nesting, and parameters of what is embedded': [
    [
      '/actors?select=roles(character,films(title,year))&id=eq.2',
      [{ roles: [{ character: 'Spirit', films: { title: 'The Haunted Castle', year: 1896 } }] }],
    ],
    [
      '/films?select=title,actors(first_name)&actors.order=last_name,first_name&id=eq.4',
      [{ title: 'Pulp Fiction', actors: [{ first_name: 'Uma' }, { first_name: 'John' }] }],
    ],
    [
      '/films?select=title,roles(character)&roles.character=in.(Spirit,Groucho)&id=in.(3,6)&order=id',
      [
        { title: 'The Haunted Castle', roles: [{ character: 'Spirit' }] },
        { title: 'The Lighthouse', roles: [] },
      ],
    ],
    [
      '/films?select=id,roles(character)&roles.or=(character.eq.Spirit,character.eq.Vincent Vega)&id=in.(3,4)&order=id',
      [
        { id: 3, roles: [{ character: 'Spirit' }] },
        { id: 4, roles: [{ character: 'Vincent Vega' }] },
      ],
    ],
    [
      '/films?select=id,actors(first_name)&actors.order=id&actors.limit=1&actors.offset=1&id=eq.4',
      [{ id: 4, actors: [{ first_name: 'Uma' }] }],
    ],
    [
      '/films?select=id,90_comps:competitions(name),91_comps:competitions(name)&90_comps.year=eq.1990&91_comps.year=eq.1991&id=eq.4',
      [{ id: 4, '90_comps': [{ name: 'Cannes' }], '91_comps': [{ name: 'Oscars' }] }],
    ],
    [
      '/films?select=id,roles(character,actors(first_name))&roles.actors.order=last_name&roles.actors.first_name=like.*John*&id=eq.4',
      [
        {
          id: 4,
          roles: [
            { character: 'Vincent Vega', actors: { first_name: 'John' } },
            { character: 'Mia Wallace', actors: null },
          ],
        },
      ],
    ],
  ],
  'rows chosen by what is embedded': [
    [
      '/films?select=title,actors(first_name,last_name)&actors.first_name=eq.Jehanne&id=lt.4&order=id',
      [
        { title: WORKERS, actors: [] },
        { title: 'The Dickson Experimental Sound Film', actors: [] },
        { title: 'The Haunted Castle', actors: [{ first_name: 'Jehanne', last_name: "d'Alcy" }] },
      ],
    ],
    [
      '/films?select=title,actors!inner(first_name,last_name)&actors.first_name=eq.Jehanne',
      [{ title: 'The Haunted Castle', actors: [{ first_name: 'Jehanne', last_name: "d'Alcy" }] }],
    ],
    [
      '/films?select=id,actors(id)&actors=not.is.null&order=id',
      [
        { id: 3, actors: [{ id: 2 }] },
        { id: 4, actors: [{ id: 3 }, { id: 4 }] },
        { id: 5, actors: [{ id: 1 }, { id: 3 }] },
        { id: 6, actors: [{ id: 1 }] },
      ],
    ],
    [
      '/films?select=title,nominations()&nominations=is.null&year=gt.1990&order=id',
      [{ title: 'The Lighthouse' }, { title: 'Orphan' }],
    ],
    [
      '/films?select=id,actors(id),directors(id)&or=(actors.is.null,directors.is.null)&order=id',
      [
        { id: 1, actors: [], directors: { id: 2 } },
        { id: 2, actors: [], directors: { id: 1 } },
        { id: 7, actors: [], directors: { id: 6 } },
        { id: 8, actors: [], directors: null },
      ],
    ],
    [
      '/films?select=title,actors(),directors()&directors.first_name=eq.John&actors.first_name=eq.John' +
        '&or=(directors.not.is.null,actors.not.is.null)&order=id',
      [{ title: 'Pulp Fiction' }, { title: 'Reservoir Dogs' }, { title: 'The Thing' }],
    ],
    [
      '/films?select=title,act:actors(),dir:directors(),actors(first_name),directors(first_name)&dir.first_name=eq.John' +
        '&act.first_name=eq.John&or=(dir.not.is.null,act.not.is.null)&id=in.(1,4)',
      [john],
    ],
    ['/films?select=title,actors()&actors.first_name=eq.Jehanne&actors=not.is.null', [{ title: 'The Haunted Castle' }]],
    [
      '/films?select=title,directors(last_name)&order=directors(last_name).desc&year=gt.1980&limit=2&director_id=not.is.null',
      [
        { title: 'Pulp Fiction', directors: { last_name: 'Tarantino' } },
        { title: 'Reservoir Dogs', directors: { last_name: 'Tarantino' } },
      ],
    ],
  ],
  spreads: [
    [
      '/films?select=title,...directors(director_first_name:first_name,director_last_name:last_name)&title=like.*Workers*',
      [{ title: WORKERS, director_first_name: 'Louis', director_last_name: 'Lumière' }],
    ],
    [
      '/directors?select=first_name,...films(film_titles:title,film_years:year)&first_name=like.Quentin*&films.order=year',
      [{ first_name: 'Quentin', film_titles: ['Reservoir Dogs', 'Pulp Fiction'], film_years: [1992, 1994] }],
    ],
    [
      '/directors?select=first_name,...films(film_titles:title,film_years:year,...technical_specs(film_runtimes:runtime),' +
        '...roles(film_characters:character))&first_name=like.Quentin*&films.order=year&films.roles.order=character',
      [
        {
          first_name: 'Quentin',
          film_titles: ['Reservoir Dogs', 'Pulp Fiction'],
          film_years: [1992, 1994],
          film_runtimes: ['01:39:00', '02:29:00'],
          film_characters: [
            ['Mr. Pink', 'Mr. White'],
            ['Mia Wallace', 'Vincent Vega'],
          ],
        },
      ],
    ],
    [
      '/films?select=title,actors:roles(character,...actors(first_name,last_name))&title=like.*Lighthouse*',
      [{ title: 'The Lighthouse', actors: [{ character: 'Thomas Wake', first_name: 'Willem', last_name: 'Dafoe' }] }],
    ],
  ],
};

describe.each(Object.entries(examples))('%s', (_, list) => {
  test.each(list)('%s', async (target, result) => {
    const { status, json } = await get(target);
    expect({ status, json }).toEqual({ status: 200, json: result });
  });
});

test('several relationships are an error that names them all', async () => {
  const { status, json } = await get('/orders?select=*,addresses(*)');
  const one = (constraint: string) => ({
    cardinality: 'many-to-one',
    embedding: 'orders with addresses',
    relationship: `${constraint} using orders(${constraint}_address_id) and addresses(id)`,
  });
  expect({ status, json }).toEqual({
    status: 300,
    json: {
      code: 'PGRST201',
      details: [one('billing'), one('shipping')],
      hint: "Try changing 'addresses' to one of the following: 'addresses!billing', 'addresses!shipping'. Find the desired relationship in the 'details' key.",
      message: "Could not embed because more than one relationship was found for 'orders' and 'addresses'",
    },
  });
});

test('keys that are there twice stay there twice', async () => {
  expect((await get('/films?select=id,title,...directors(id)&id=eq.4')).text).toBe(
    '[{"id":4,"title":"Pulp Fiction","id":4}]',
  );
});

test('what a write returns may be embedded in too', async () => {
  const film = { id: 100, director_id: 40, title: '127 hours', year: 2010, rating: 7.6, language: 'english' };
  const { status, json } = await ask('POST', '/films?select=title,year,director:directors(first_name,last_name)', {
    headers: { Prefer: 'return=representation' },
    body: film,
  });
  expect({ status, json }).toEqual({
    status: 201,
    json: [{ title: '127 hours', year: 2010, director: { first_name: 'Danny', last_name: 'Boyle' } }],
  });
  expect((await ask('DELETE', '/films?id=eq.100')).status).toBe(204);
});

test('a partition is not exposed, its table is', async () => {
  expect((await get('/box_office_2021_01')).json).toMatchObject({ code: 'PGRST205' });
});
