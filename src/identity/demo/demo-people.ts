import type { HostContext } from '../person.ts';
import type { BuiltinRoleName } from '../roles/builtin-roles.ts';

/** `iss` of the demo hosts; their people sign in without a password in demo mode only. */
export const DEMO_ISSUER = 'demo';

/** Password of every demo admin, for trying `/admin/login`; refused outside demo mode. */
export const DEMO_PASSWORD = 'safego-demo-password';

/** Somebody to try the product with. */
export interface DemoPerson {
  /** `sub` of the host's tokens. */
  readonly handle: string;
  readonly tenantSlug: string;
  readonly userType: string;
  readonly name: string;
  /** As they write it themselves; null where it is the same. */
  readonly nameBn: string | null;
  readonly email: string;
  readonly phone: string | null;
  readonly country: 'BD' | 'US';
  readonly locale: string | null;
  /** Admins only. */
  readonly role: BuiltinRoleName | null;
  /** What the host shows of them in the details panel. */
  readonly profile: Readonly<Record<string, string | number>>;
  readonly context: HostContext | null;
}

interface DemoTenant {
  readonly slug: string;
  readonly name: string;
  readonly userTypes: readonly string[];
  readonly timeZone: string;
}

/** The tenants of the demo people. */
export const DEMO_TENANTS: readonly DemoTenant[] = [
  { slug: 'safego', name: 'SafeGo', userTypes: ['driver', 'customer', 'restaurant'], timeZone: 'Asia/Dhaka' },
  { slug: 'smart-equiz', name: 'Smart eQuiz', userTypes: ['participant'], timeZone: 'America/New_York' },
];

// no locale: whoever tries the product reads it in their browser's language
const BANGLADESH = { country: 'BD', locale: null } as const;
const USA = { country: 'US', locale: null } as const;
const USER = { tenantSlug: 'safego', role: null, nameBn: null } as const;
const ADMIN = {
  tenantSlug: 'safego',
  userType: 'admin',
  phone: null,
  profile: {},
  context: null,
  nameBn: null,
} as const;

/** The demo people of the contract, in the order in which they are offered. */
export const DEMO_PEOPLE: readonly DemoPerson[] = [
  {
    ...USER,
    ...BANGLADESH,
    handle: 'rahim',
    userType: 'driver',
    name: 'Rahim Uddin',
    nameBn: 'রহিম উদ্দিন',
    email: 'rahim.uddin@safego.example',
    phone: '+8801712345678',
    profile: {
      city: 'Dhaka',
      vehicle: 'Toyota Axio, DHA-GA 23-4178',
      completedTrips: 412,
      rating: 4.9,
      driverSince: '2023-03-14',
    },
    context: { type: 'trip', id: '88213', label: 'Trip #88213, Dhanmondi to Uttara' },
  },
  {
    ...USER,
    ...USA,
    handle: 'driver-2',
    userType: 'driver',
    name: 'Marcus Reed',
    email: 'marcus.reed@safego.example',
    phone: '+15125550142',
    profile: {
      city: 'Austin',
      vehicle: 'Honda Accord, TX KLM-2291',
      completedTrips: 1287,
      rating: 4.8,
      driverSince: '2021-08-02',
    },
    context: { type: 'trip', id: '90417', label: 'Trip #90417, Airport to East Austin' },
  },
  {
    ...USER,
    ...BANGLADESH,
    handle: 'ayesha',
    userType: 'customer',
    name: 'Ayesha Siddika',
    nameBn: 'আয়েশা সিদ্দিকা',
    email: 'ayesha.siddika@safego.example',
    phone: '+8801819876543',
    profile: { city: 'Chattogram', orders: 58, trips: 131, customerSince: '2022-11-20' },
    context: { type: 'order', id: '51902', label: 'Order #51902, Kacchi House' },
  },
  {
    ...USER,
    ...USA,
    handle: 'customer-2',
    userType: 'customer',
    name: 'Emily Carter',
    email: 'emily.carter@safego.example',
    phone: '+16465550118',
    profile: { city: 'New York', orders: 23, trips: 9, customerSince: '2024-05-06' },
    context: { type: 'order', id: '52077', label: 'Order #52077, Green Bowl' },
  },
  {
    ...USER,
    ...BANGLADESH,
    handle: 'kacchi-house',
    userType: 'restaurant',
    name: 'Kacchi House',
    nameBn: 'কাচ্চি হাউস',
    email: 'hello@kacchi-house.example',
    phone: '+8802955512340',
    profile: { city: 'Dhaka', branch: 'Dhanmondi 27', completedOrders: 9641, rating: 4.7, partnerSince: '2022-01-09' },
    context: null,
  },
  {
    ...USER,
    ...USA,
    handle: 'restaurant-2',
    userType: 'restaurant',
    name: 'Green Bowl',
    email: 'orders@green-bowl.example',
    phone: '+12125550170',
    profile: { city: 'New York', branch: 'Astoria', completedOrders: 3120, rating: 4.6, partnerSince: '2023-09-18' },
    context: null,
  },
  {
    ...ADMIN,
    ...BANGLADESH,
    handle: 'agent',
    name: 'Nusrat Jahan',
    nameBn: 'নুসরাত জাহান',
    email: 'agent@safego.example',
    role: 'support_agent',
  },
  { ...ADMIN, ...USA, handle: 'agent-2', name: 'Daniel Kim', email: 'agent-2@safego.example', role: 'support_agent' },
  {
    ...ADMIN,
    ...BANGLADESH,
    handle: 'lead',
    name: 'Tanvir Ahmed',
    nameBn: 'তানভীর আহমেদ',
    email: 'lead@safego.example',
    role: 'support_lead',
  },
  { ...ADMIN, ...USA, handle: 'viewer', name: 'Grace Lopez', email: 'viewer@safego.example', role: 'support_viewer' },
  {
    ...ADMIN,
    ...BANGLADESH,
    handle: 'owner',
    name: 'Farhana Rahman',
    nameBn: 'ফারহানা রহমান',
    email: 'owner@safego.example',
    role: 'tenant_admin',
  },
  {
    ...USA,
    tenantSlug: 'smart-equiz',
    role: null,
    nameBn: null,
    handle: 'participant',
    userType: 'participant',
    name: 'Samuel Okafor',
    email: 'samuel.okafor@smart-equiz.example',
    phone: '+14045550133',
    profile: { school: 'Riverside High School', quizzes: 37, bestScore: 96 },
    context: { type: 'quiz', id: '7741', label: 'Quiz #7741, World Capitals' },
  },
  {
    ...ADMIN,
    ...USA,
    tenantSlug: 'smart-equiz',
    handle: 'equiz-agent',
    name: 'Laura Bennett',
    email: 'agent@smart-equiz.example',
    role: 'support_agent',
  },
];

/** The demo person of a handle; handles are unique over both tenants. */
export function demoPerson(handle: string): DemoPerson | null {
  return DEMO_PEOPLE.find((one) => one.handle === handle) ?? null;
}
