import { z } from 'zod';
import { admins, type Person } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { Conflict } from '../platform/errors/index.ts';
import { page, type Reply, type Route, type RouteInput, route, seeOther } from '../platform/http/index.ts';
import { loadSupportSettings, SupportSettings, saveSupportSettings } from '../tenancy/index.ts';
import { type DashboardDeps, deskReader, deskShell } from './dashboard-deps.ts';
import { differences, type SettingsState, settingsView } from './settings.view.ts';
import { one, readTyped, SETTING_NAMES, SettingsForm, type Typed, typedOf } from './settings-form.ts';

const SETTINGS = '/admin/settings';
const SUPPORT = '/admin/settings/support';
const SupportQuery = z.object({ saved: z.string().max(1).default('') });

/** `/admin/settings` and its tab Support. Forms answer 303; what could not be saved is shown again as it was typed. */
export function settingsRoutes(deps: DashboardDeps): Route<Person>[] {
  return [
    route<Person>({
      name: 'dashboard.settings.index',
      method: 'GET',
      path: SETTINGS,
      policy: admins('MANAGE_SUPPORT_SETTINGS'),
      face: 'page',
      handle(scope, input) {
        const show = deps.views.for(deskReader(deps, scope, input));
        return page(show.page('/dashboard/settings', deskShell(deps, scope, show, SETTINGS)));
      },
    }),
    route<Person, unknown, z.output<typeof SupportQuery>>({
      name: 'dashboard.settings.show-support',
      method: 'GET',
      path: SUPPORT,
      policy: admins('MANAGE_SUPPORT_SETTINGS'),
      face: 'page',
      query: SupportQuery,
      async handle(scope, input) {
        const { settings, version } = await loadSupportSettings(scope);
        const saved = input.query.saved === '1';
        return formPage(deps, scope, input, { typed: typedOf(settings), version, base: settings, saved });
      },
    }),
    route<Person, unknown, unknown, z.output<typeof SettingsForm>>({
      name: 'dashboard.settings.save-support',
      method: 'POST',
      path: SUPPORT,
      policy: admins('MANAGE_SUPPORT_SETTINGS'),
      face: 'page',
      bodyKind: 'form',
      body: SettingsForm,
      handle: (scope, input) => save(deps, scope, input, input.body),
    }),
  ] as Route<Person>[]; // a list forgets the types that `route` has checked
}

type Input = Pick<RouteInput<unknown, unknown, unknown>, 'reader'>;

async function save(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  form: z.output<typeof SettingsForm>,
): Promise<Reply> {
  const typed = form as Typed; // its fields are all text or lists of text
  const version = Number(form.version);
  const current = await loadSupportSettings(scope);
  const base = readBase(form.base) ?? current.settings;
  const read = readTyped(typed, current.settings);
  if (form.do === 'holiday') {
    const errors = 'errors' in read ? holidayErrors(read.errors) : {};
    const addHoliday = Object.keys(errors).length === 0;
    return formPage(deps, scope, input, { typed, version, base, errors, addHoliday }, addHoliday ? 200 : 422);
  }
  if ('errors' in read) return formPage(deps, scope, input, { typed, version, base, errors: read.errors }, 422);
  try {
    await saveSupportSettings(scope, withTheirs(read.settings, current.settings, typed), version);
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    return conflictPage(deps, scope, input, { typed, mine: read.settings, base: readBase(form.base) });
  }
  await deps.tenancy.refresh();
  return seeOther(`${SUPPORT}?saved=1`);
}

function formPage(deps: DashboardDeps, scope: Scope<Person>, input: Input, state: SettingsState, status = 200): Reply {
  const reader = deskReader(deps, scope, input);
  const show = deps.views.for(reader);
  const view = settingsView(show, reader.zone, state);
  return page(
    show.page('/dashboard/settings-support', { ...deskShell(deps, scope, show, SETTINGS), form: view }),
    status,
  );
}

/** Somebody else was first: both values of every field that differs, and the choice. */
async function conflictPage(
  deps: DashboardDeps,
  scope: Scope<Person>,
  input: Input,
  asked: { readonly typed: Typed; readonly mine: SupportSettings; readonly base: SupportSettings | null },
): Promise<Reply> {
  const { settings: theirs, version } = await loadSupportSettings(scope);
  const show = deps.views.for(deskReader(deps, scope, input));
  const skipped = (name: string) => name === 'version' || name === 'base' || name === 'do' || name.startsWith('take_');
  const hidden = Object.entries(asked.typed)
    .filter(([name]) => !skipped(name))
    .flatMap(([name, value]) => [value ?? []].flat().map((each) => ({ name, value: each })));
  const conflict = {
    version,
    base: JSON.stringify(theirs),
    differences: differences(show, asked.mine, theirs, asked.base),
    hidden,
  };
  return page(show.page('/dashboard/settings-conflict', { ...deskShell(deps, scope, show, SETTINGS), conflict }), 409);
}

/** After a conflict the person has said, field by field, whose value counts. */
function withTheirs(mine: SupportSettings, theirs: SupportSettings, typed: Typed): SupportSettings {
  const taken = SETTING_NAMES.filter((name) => one(typed, `take_${name}`) === 'theirs');
  return { ...mine, ...Object.fromEntries(taken.map((name) => [name, theirs[name]])) };
}

function readBase(json: string): SupportSettings | null {
  try {
    const parsed = SupportSettings.safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** While a day is added, only what is wrong with that day is said. */
function holidayErrors(errors: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return errors['newHoliday'] ? { newHoliday: errors['newHoliday'] } : {};
}
