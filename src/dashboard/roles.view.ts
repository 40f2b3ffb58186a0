import { AGENT_LANGUAGES } from '../desk/index.ts';
import { type AdminOverview, CAPABILITIES, type Person, type RoleOverview } from '../identity/index.ts';
import type { Show } from '../platform/views/index.ts';
import { languageInWords, languagesInWords } from './languages-in-words.ts';

/** What was not taken, at which form, and what stood in it. */
export interface Refused {
  readonly form: string;
  readonly code: string;
  readonly typed?: Readonly<Record<string, string | readonly string[]>>;
}

/** One tick: a role of a person, or a capability of a role. */
interface Choice {
  readonly value: string;
  readonly label: string;
  readonly help: string | null;
  readonly checked: boolean;
  /** False for what the reader may not give. */
  readonly isWithinReach: boolean;
}

/** One role with its form. */
interface RoleForm {
  readonly name: string;
  readonly label: string;
  readonly isBuiltin: boolean;
  readonly isEditable: boolean;
  readonly holders: number;
  readonly capabilities: readonly Choice[];
  readonly problem: string | null;
}

/** One admin with their forms. */
interface PersonForm extends AdminOverview {
  readonly isMe: boolean;
  readonly choices: readonly Choice[];
  readonly roleLabels: readonly string[];
  readonly languages: readonly Choice[];
  readonly languageNames: string;
  readonly problem: string | null;
}

/** The page, as `views/dashboard/roles` takes it. */
export interface RolesView {
  readonly done: string;
  readonly people: readonly PersonForm[];
  readonly roles: readonly RoleForm[];
  readonly newRole: {
    readonly label: string;
    readonly capabilities: readonly Choice[];
    readonly problem: string | null;
  };
  readonly invite: {
    readonly name: string;
    readonly email: string;
    readonly choices: readonly Choice[];
    readonly problem: string | null;
  };
}

/** What is read for the page. */
export interface RolesBoard {
  readonly roles: readonly RoleOverview[];
  readonly people: readonly AdminOverview[];
  /** ISO 639 codes by admin. */
  readonly languages: ReadonlyMap<string, readonly string[]>;
  readonly done?: string;
  readonly refused?: Refused;
}

/** The roles page for one reader. */
export function rolesView(show: Show, reader: Person, board: RolesBoard): RolesView {
  const { roles, people, refused } = board;
  const problemAt = (form: string) => (refused?.form === form ? sentenceOf(show, refused.code) : null);
  const typedAt = (form: string) => (refused?.form === form ? (refused.typed ?? {}) : {});
  const labelOf = (role: RoleOverview) =>
    role.isBuiltin ? show.t(`roles.builtin.${role.name}`, { defaultValue: role.label }) : role.label;
  const roleChoices = (held: readonly string[]): Choice[] =>
    roles.map((role) => ({
      value: role.name,
      label: labelOf(role),
      help: null,
      checked: held.includes(role.name),
      isWithinReach: role.isWithinReach,
    }));
  const capabilityChoices = (held: readonly string[]): Choice[] =>
    CAPABILITIES.map((value) => ({
      value,
      label: show.t(`roles.capability.${value}`),
      help: value,
      checked: held.includes(value),
      isWithinReach: reader.can(value),
    }));
  return {
    done: board.done ?? '',
    people: people.map((person) => ({
      ...person,
      isMe: person.id === reader.id,
      choices: roleChoices(list(typedAt(`person-${person.id}`)['roles']) ?? person.roles),
      roleLabels: roles.filter((role) => person.roles.includes(role.name)).map(labelOf),
      languages: languageChoices(show, board.languages.get(person.id) ?? []),
      languageNames: languagesInWords(show.reader.language, board.languages.get(person.id) ?? []),
      problem: problemAt(`person-${person.id}`),
    })),
    roles: roles.map((role) => {
      const typed = typedAt(`role-${role.name}`);
      return {
        name: role.name,
        label: word(typed['label']) || labelOf(role),
        isBuiltin: role.isBuiltin,
        isEditable: !role.isBuiltin && role.isWithinReach,
        holders: role.holders,
        capabilities: capabilityChoices(list(typed['capabilities']) ?? role.capabilities),
        problem: problemAt(`role-${role.name}`),
      };
    }),
    newRole: {
      label: word(typedAt('new-role')['label']),
      capabilities: capabilityChoices(list(typedAt('new-role')['capabilities']) ?? []),
      problem: problemAt('new-role'),
    },
    invite: {
      name: word(typedAt('invite')['name']),
      email: word(typedAt('invite')['email']),
      choices: roleChoices(list(typedAt('invite')['roles']) ?? []),
      problem: problemAt('invite'),
    },
  };
}

/** By name, as the reader reads them. */
function languageChoices(show: Show, spoken: readonly string[]): Choice[] {
  const { language } = show.reader;
  return AGENT_LANGUAGES.map((value) => ({
    value,
    label: languageInWords(language, value),
    help: null,
    checked: spoken.includes(value),
    isWithinReach: true,
  })).sort((one, other) => one.label.localeCompare(other.label, language));
}

function sentenceOf(show: Show, code: string): string {
  return show.t([`roles.problem.${code}`, `errors.${code}`, 'errors.invalid']);
}

function word(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function list(value: unknown): readonly string[] | null {
  return Array.isArray(value) ? value : null;
}
