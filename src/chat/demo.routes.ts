import { anyone, DEMO_PEOPLE, type DemoPerson, type Person } from '../identity/index.ts';
import { page, type Route, route } from '../platform/http/index.ts';
import type { Views } from '../platform/views/index.ts';

/** What the demo's page is made from. Mount it in demo mode only: otherwise it does not exist. */
export interface DemoDeps {
  readonly views: Views;
}

/** The sign-in doors stand with the others (src/dashboard/sign-in.routes.ts). */
const ACTION = '/demo/sign-in';

/** `/`: every demo person, one click each. */
export function demoRoutes({ views }: DemoDeps): Route<Person>[] {
  return [
    route({
      name: 'demo.people',
      method: 'GET',
      path: '/',
      policy: anyone(),
      face: 'page',
      handle: (_scope, input) => page(views.for(input.reader).page('/demo/index', { demo: demoView(input.reader) })),
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

function demoView({ language }: { readonly language: string }): object {
  const ours = DEMO_PEOPLE.filter((person) => person.tenantSlug === 'safego');
  const groups = [
    { kind: 'users', people: ours.filter((person) => person.userType !== 'admin') },
    { kind: 'staff', people: ours.filter((person) => person.userType === 'admin') },
    { kind: 'otherTenant', people: DEMO_PEOPLE.filter((person) => !ours.includes(person)) },
  ];
  return {
    action: ACTION,
    groups: groups.map((group) => ({ ...group, people: group.people.map((one) => personView(one, language)) })),
  };
}

function personView(person: DemoPerson, language: string): object {
  const name = (language === 'bn' && person.nameBn) || person.name;
  const initials = name
    .split(' ')
    .slice(0, 2)
    .map((word) => [...new Intl.Segmenter(language).segment(word)][0]?.segment ?? '')
    .join('');
  const country = new Intl.DisplayNames([language], { type: 'region' }).of(person.country);
  return { ...person, name, initials, country };
}
