/** Requests that make the worker write every kind of statement that it has. */
import type { Asked } from '../message.ts';

const object = ['accept', 'application/vnd.pgrst.object+json'] as const;
const prefer = (value: string) => ['prefer', value] as const;

export const requests: readonly Asked[] = [
  { target: '/note' },
  { target: '/note?select=id,body&id=eq.1&order=id.desc&limit=5&offset=1' },
  {
    target:
      '/note?select=id::text,data->a->>b,body.count()&or=(id.in.(1,2),not.and(body.like.*a*,words.fts(english).x))',
  },
  { target: '/note?select=id,comment(id,text)&comment.text=neq.x', headers: [prefer('count=exact')] },
  { target: '/note?select=id,comment!inner(*)&comment=not.is.null&limit=1', headers: [prefer('count=planned')] },
  { target: '/note?select=id,...comment(text)&limit=1', headers: [prefer('count=exact')] },
  { target: '/note?select=id,paint(id,price)' },
  { target: '/note?select=id,answers(*)' },
  { target: '/note?select=id,leaves&order=leaves' },
  { target: '/comment?select=id,note(id,body)&order=note(id)' },
  { target: '/note?id=eq.1', headers: [object] },
  { target: '/note', headers: [['accept', 'text/csv']] },
  { target: '/note', headers: [['accept', 'text/note']] },
  { target: '/note', headers: [['accept', 'application/geo+json']] },
  { target: '/note?id=eq.1', headers: [['accept', 'application/vnd.pgrst.plan+json; options=analyze|verbose']] },
  { target: '/paint?select=id,color' },
  { method: 'POST', target: '/note', body: '{"id":50,"body":"x"}' },
  {
    method: 'POST',
    target: '/note?columns=id,owner,body',
    body: '[{"id":51,"body":"x"}]',
    headers: [prefer('missing=default, return=representation, resolution=merge-duplicates')],
  },
  { method: 'POST', target: '/note', body: '{"id":52}', headers: [prefer('return=headers-only')] },
  { method: 'PUT', target: '/note?id=eq.53', body: '{"id":53,"body":"x"}', headers: [prefer('return=representation')] },
  {
    method: 'PATCH',
    target: '/note?id=eq.1',
    body: '{"body":"y"}',
    headers: [object, prefer('return=representation, handling=strict, max-affected=1')],
  },
  { method: 'PATCH', target: '/note?id=eq.1', body: '{}' },
  { method: 'DELETE', target: '/note?id=eq.1000', headers: [prefer('return=minimal')] },
  { method: 'POST', target: '/rpc/add', body: '{"a":1,"b":2}' },
  { target: '/rpc/add?a=1&b=2' },
  { method: 'POST', target: '/rpc/strict_add', body: '{"a":1}' },
  { target: '/rpc/who' },
  { target: '/rpc/echo?q=x' },
  { target: '/rpc/echo_out?q=x&select=a' },
  { method: 'POST', target: '/rpc/echo_table?select=a,b:a&a=eq.x', body: '{"q":"x"}' },
];
