/** What PostgREST's documentation says of aggregate functions: the examples. */
import { expect, test } from 'vitest';
import { documented } from './server.ts';

const { get } = documented(
  `
  create table customers (id int primary key, name text, city text, subscription_date date);
  create table orders (
    id int primary key, customer_id int references customers, amount numeric, quantity int, order_date date, observation text,
    order_details jsonb
  );
  insert into customers values (1, 'Customer A', 'New York', '2023-10-15'), (2, 'Customer B', 'Los Angeles', '2013-10-01');
  insert into orders values
    (1, 1, 100.5, 1, '2023-01-01', 'x', '{"tax_amount": 10.5}'), (2, 1, 50, 2, '2023-01-01', null, '{"tax_amount": 1}'),
    (3, 2, 200, 3, '2023-01-02', 'y', '{"tax_amount": 2}'), (4, 2, 100, null, '2023-01-02', null, null);
`,
  { PGRST_DB_AGGREGATES_ENABLED: 'true' },
);

const examples: readonly (readonly [target: string, result: unknown])[] = [
  ['/orders?select=amount.sum()', [{ sum: 450.5 }]],
  [
    '/orders?select=total_amount:amount.sum(),avg_amount:amount.avg(),total_quantity:quantity.sum()',
    [{ total_amount: 450.5, avg_amount: 112.625, total_quantity: 6 }],
  ],
  [
    '/orders?select=amount.sum(),amount.avg(),order_date&order=order_date',
    [
      { sum: 150.5, avg: 75.25, order_date: '2023-01-01' },
      { sum: 300, avg: 150, order_date: '2023-01-02' },
    ],
  ],
  [
    '/orders?select=count(),observation_count:observation.count(),order_date&order=order_date',
    [
      { count: 2, observation_count: 1, order_date: '2023-01-01' },
      { count: 2, observation_count: 1, order_date: '2023-01-02' },
    ],
  ],
  ['/orders?select=order_details->tax_amount::numeric.sum()', [{ sum: 13.5 }]],
  ['/orders?select=amount.avg()::int', [{ avg: 113 }]],
  ['/orders?select=order_details->tax_amount::numeric.sum()::int', [{ sum: 14 }]],
  [
    '/orders?select=amount.sum(),...customers(name)&order=customers(name)',
    [
      { sum: 150.5, name: 'Customer A' },
      { sum: 300, name: 'Customer B' },
    ],
  ],
  [
    '/customers?select=name,city,orders(amount.sum(),order_date)&order=name',
    [
      { name: 'Customer A', city: 'New York', orders: [{ sum: 150.5, order_date: '2023-01-01' }] },
      { name: 'Customer B', city: 'Los Angeles', orders: [{ sum: 300, order_date: '2023-01-02' }] },
    ],
  ],
  [
    '/orders?select=order_date,...customers(subscription_date.max(),subscription_date.min())&order=order_date',
    [
      { order_date: '2023-01-01', max: '2023-10-15', min: '2023-10-15' },
      { order_date: '2023-01-02', max: '2013-10-01', min: '2013-10-01' },
    ],
  ],
];

test.each(examples)('%s', async (target, result) => {
  const { status, json } = await get(target);
  expect({ status, json }).toEqual({ status: 200, json: result });
});

test('what is embedded may be grouped by', async () => {
  const { json } = await get('/orders?select=amount.sum(),customers(name)&customer_id=eq.2');
  expect(json).toEqual([{ sum: 300, customers: { name: 'Customer B' } }]);
});

test('aggregates in to-many spreads are refused', async () => {
  expect((await get('/customers?select=name,...orders(amount.sum())')).json).toMatchObject({ code: 'PGRST127' });
});
