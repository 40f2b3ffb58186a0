import { anyone, DEMO_PEOPLE, type DemoPerson, type Person } from '../identity/index.ts';
import { page, type Route, route } from '../platform/http/index.ts';
import { DEMO_HOST_PATH, type DemoHostDeps, demoHostRoutes, otherName } from './demo-host.routes.ts';

/** What the demo's page is made from. Mount it in demo mode only: otherwise it does not exist. */
export interface DemoDeps extends DemoHostDeps {
  /** With it the server has one name, and no place for a page of another site. */
  readonly publicUrl: URL | undefined;
}

/** The sign-in doors stand with the others (src/dashboard/sign-in.routes.ts). */
const ACTION = '/demo/sign-in';

/** `/`: every demo person, one click each. */
export function demoRoutes({ views, identity, publicUrl }: DemoDeps): Route<Person>[] {
  return [
    ...(publicUrl ? [] : demoHostRoutes({ views, identity })),
    route({
      name: 'demo.people',
      method: 'GET',
      path: '/',
      policy: anyone(),
      face: 'page',
      handle(_scope, { ctx, reader }) {
        const other = publicUrl ? null : otherName(ctx.req.headers.host);
        const demo = { ...demoView(reader), hostHref: other && `${other}${DEMO_HOST_PATH}` };
        return page(views.for(reader).page('/demo/index', { demo }));
      },
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
