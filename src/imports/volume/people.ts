import { createIds } from '../../platform/text/index.ts';
import type { Random } from './random.ts';

/** Somebody of the loaded volume, as the table `users` has them. */
export interface VolumePerson {
  readonly id: string;
  readonly userType: string;
  readonly sub: string;
  readonly name: string;
  readonly email: string | null;
  readonly phone: string | null;
  readonly country: 'BD' | 'US';
  readonly locale: 'en' | 'bn';
  readonly profile: Readonly<Record<string, string | number>>;
  readonly createdAt: Date;
}

/** What person number `index` (from 0) is made from. */
export interface PersonPlan {
  readonly random: Random;
  readonly index: number;
  readonly userType: string;
  /** When the history begins; they have been there somewhat longer. */
  readonly since: Date;
}

const FIRST =
  words(`Md. Rahim Karim Ayesha Fatema Rahima Jamal Kamal Nasrin Sultana Abdul Mizan Shahin Rafiq Tanvir Sadia
  Farhana Imran Hasan Habib Nusrat Sharmin Arif Sohel Masud Rubel Liton Jahid Faisal Mahmud Salma Parvin Rokeya Shirin Anika
  Tahmina Zakir Monir Belal Delwar Ismail Yusuf Omar Bilkis Moushumi Nargis Ripon Shamim Tareq Wahid`);
const LAST =
  words(`Uddin Hossain Rahman Islam Akter Begum Khan Ahmed Chowdhury Miah Sarker Das Roy Talukder Sikder Bhuiyan
  Khatun Haque Alam Kabir Mollah Sheikh Ghosh Paul Dey Mridha Howlader Pramanik Biswas Mondal`);
const FIRST_BN = words(`মোঃ রহিম করিম আয়েশা ফাতেমা জামাল কামাল নাসরিন আব্দুল মিজান শাহীন রফিক তানভীর সাদিয়া ইমরান হাসান নুসরাত শারমিন
  আরিফ সোহেল মাসুদ রুবেল ফয়সাল মাহমুদ সালমা পারভীন রোকেয়া শিরিন অনিকা জাকির`);
const LAST_BN = words(`উদ্দিন হোসেন রহমান ইসলাম আক্তার বেগম খান আহমেদ চৌধুরী মিয়া সরকার দাস রায় তালুকদার ভূঁইয়া খাতুন হক আলম কবির`);
const FIRST_US =
  words(`James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan
  Joseph Jessica Thomas Sarah Carlos Karen Daniel Lisa Matthew Nancy Anthony Betty Mark Sandra Luis Ashley Steven Maria Paul
  Kimberly Andrew Donna Joshua Emily Kenneth Carol Kevin Michelle Brian Amanda`);
const LAST_US =
  words(`Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson
  Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young`);
const HOUSES =
  words(`Kacchi Biryani Nawab Sultan Star Dhaba Panshi Handi Tandoor Spice Bamboo Lake River Royal Golden Green Old
  New Family City`);
const HOUSE_KINDS = [
  'House',
  'Kitchen',
  'Restaurant',
  'Corner',
  'Express',
  'Cafe',
  'Grill',
  'Bakery',
  'Sweets',
  'Diner',
];
const CITIES = words('Dhaka Chattogram Sylhet Khulna Rajshahi Barishal Cumilla Gazipur Narayanganj Mymensingh');
const CITIES_US = ['New York', 'Jersey City', 'Detroit', 'Houston', 'Dallas', 'Buffalo', 'Los Angeles', 'Chicago'];

/** Mail hosts that belong to nobody (RFC 2606). */
const MAIL_HOSTS = ['mail.example', 'post.example', 'example.com', 'example.net'];

/** A made-up person: name, contacts (some have no email, a few no phone), what their host shows of them. */
export function createPerson(plan: PersonPlan): VolumePerson {
  const { random, index, userType } = plan;
  const isAmerican = random.chance(0.22);
  const isBengali = !isAmerican && random.chance(0.4);
  const latin = isAmerican
    ? `${random.zipf(FIRST_US)} ${random.zipf(LAST_US)}`
    : `${random.zipf(FIRST)} ${random.zipf(LAST)}`;
  const createdAt = new Date(plan.since.getTime() - random.integer(1, 900) * 86_400_000);
  return {
    id: createIds(() => createdAt.getTime())(),
    userType,
    sub: `${userType.slice(0, 1).toUpperCase()}-${100_000 + index}`,
    name: nameOf(random, userType, latin, isBengali),
    email: random.chance(0.62) ? emailOf(random, latin, index) : null,
    phone: random.chance(0.94) ? phoneOf(isAmerican, index) : null,
    country: isAmerican ? 'US' : 'BD',
    locale: isBengali ? 'bn' : 'en',
    profile: profileOf(random, userType, isAmerican ? random.zipf(CITIES_US) : random.zipf(CITIES)),
    createdAt,
  };
}

/** The name of agent number `index`: all differ. */
export function agentName(index: number): string {
  const first = FIRST[(index * 7 + 1) % FIRST.length] ?? '';
  const last = LAST[(index * 3 + Math.floor(index / FIRST.length)) % LAST.length] ?? '';
  return `${first} ${last}`;
}

function nameOf(random: Random, userType: string, latin: string, isBengali: boolean): string {
  if (userType === 'restaurant') return `${random.zipf(HOUSES)} ${random.one(HOUSES)} ${random.zipf(HOUSE_KINDS)}`;
  return isBengali ? `${random.zipf(FIRST_BN)} ${random.zipf(LAST_BN)}` : latin;
}

function emailOf(random: Random, latin: string, index: number): string {
  return `${latin.toLowerCase().replaceAll(/[^a-z]+/g, '.')}.${index}@${random.zipf(MAIL_HOSTS)}`.replace(/^\./, '');
}

/** Numbers that differ by index, spread over the last digits. */
function phoneOf(isAmerican: boolean, index: number): string {
  const spread = String((index * 7_919 + 12_345_678) % 100_000_000).padStart(8, '0');
  return isAmerican ? `+1555${spread.slice(1)}` : `+8801${3 + (index % 7)}${spread}`;
}

function profileOf(random: Random, userType: string, city: string): Record<string, string | number> {
  const rating = Math.round(Math.min(5, 4 + random.next()) * 10) / 10;
  if (userType === 'driver') return { city, completedTrips: Math.round(random.skewed(320, 1)), rating };
  if (userType === 'restaurant') return { city, orders: Math.round(random.skewed(2_400, 1)), rating };
  return { city, orders: Math.round(random.skewed(24, 1)) };
}

function words(text: string): readonly string[] {
  return text.split(/\s+/);
}
