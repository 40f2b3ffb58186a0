import type { Random } from './random.ts';

/** Who says it: the user at first, the user later, the agent, either at the end. */
export type TextKind = 'opening' | 'detail' | 'answer' | 'thanks' | 'note' | 'comment';

/** In which language, and to whom it is about. */
export interface TextPlan {
  readonly random: Random;
  readonly locale: 'en' | 'bn';
  readonly userType: string;
}

type Texts = Readonly<Record<TextKind, readonly string[]>>;

const OPENINGS: Readonly<Record<string, readonly string[]>> = {
  driver: [
    'My bonus for {month} was not paid, {amount} taka are missing.',
    'The fare of trip {number} is wrong, I drove from {place} to {place2}.',
    'My payout of {amount} has not arrived in bKash yet.',
    'The app closed by itself while I was driving near {place}.',
    'A passenger left a {thing} in my car, trip {number}. How do I give it back?',
    'Please check my driving licence, I uploaded the documents {days} days ago.',
    'The passenger of trip {number} did not pay the toll at {place}.',
    'Navigation sent me the wrong way at {place}, I lost {minutes} minutes.',
    'I was cancelled three times today in {place}, why is my rating lower now?',
    'How do I change the {thing2} of my vehicle in the profile?',
  ],
  customer: [
    'My food from {dish} order {number} is cold and late by {minutes} minutes.',
    'I was charged twice for order {number}, {amount} taka. I need a refund.',
    'I left my {thing} in the car yesterday, trip {number} to {place}.',
    'The driver took another road from {place} to {place2} and the price went up.',
    'My coupon does not work, it says expired.',
    'The {dish} in order {number} was missing.',
    'Somebody else uses my account, please help me quickly!',
    'Where is my order? The map has shown {place} for {minutes} minutes.',
    'I can not add my card, the app says try again.',
    'The driver was very kind, can I tip him after the trip {number}?',
  ],
  restaurant: [
    'The printer does not get the orders since this morning.',
    'Our payout of week {week} is short by {amount} taka.',
    'Please change the picture of our {dish}, it shows another dish.',
    'A rider has not come for order {number}, we wait for {minutes} minutes.',
    'We need to close earlier this Friday, how do we set the hours?',
    'A customer complains about {dish} in order {number}, but it was sealed.',
    'Can you put {dish} back on the menu? It was removed.',
    'The commission for {month} is not what we agreed on.',
  ],
};

const ENGLISH: Texts = {
  opening: ['Hello, I need help with my account.', 'I have a question about {month}, number {number}.'],
  detail: [
    'It was at {place}, about {minutes} minutes ago.',
    'The number is {number}.',
    'Yes.',
    'No, that is not what I mean. I was at {place2}.',
    'I already wrote that {days} days ago and nobody answered me.',
    'Here it still shows {amount} taka.',
    'I tried that with the {thing}, it does not help.',
    'ok',
    'How long will it take?',
    'I have sent the {thing2} again, please look at it.',
    'Can you call me? I am in {place} now.',
    'The {dish} was not there, the rest was fine.',
    'Please hurry, I must go on in {minutes} minutes.',
    'That is the second time this {month}.',
    'I do not understand, what does "pending" mean?',
    'I see. And what happens with the {amount} taka?',
  ],
  answer: [
    'Hello, thank you for writing to us. Let me look into it.',
    'Could you tell me the number of the trip or order?',
    'I see order {number} here. One moment, please.',
    'I am sorry about that. I have refunded {amount} taka, it takes {days} working days.',
    'Our team in {place} will check the {thing} and come back to you.',
    'I have corrected it, please close the app and open it again.',
    'The payout for {month} was sent on the {week}th, your bank may need {days} days.',
    'Please send a photo of the {thing2}, then we can verify it.',
    'I understand. I have written a report about trip {number}.',
    'It is {minutes} minutes away according to the map.',
    'Is there anything else that I can do for you?',
    'The restaurant says that the {dish} was packed, I have asked them to look again.',
    'You find it under Menu, Profile, Documents.',
    'I have added a voucher of {amount} taka to your account.',
    'That road near {place} was closed, so the fare was calculated anew.',
  ],
  thanks: [
    'Thank you!',
    'Thanks a lot, it works now.',
    'ok thanks',
    'Great, thank you very much for the quick help.',
    'Fine.',
  ],
  note: [
    'Called the customer, no answer.',
    'Refund approved up to {amount} taka.',
    'Third complaint about {place} this week.',
    'Waiting for finance, ticket {number}.',
    'Licence checked, it is valid until {month}.',
  ],
  comment: [
    'Quick and friendly.',
    'It took too long.',
    'Solved, thanks.',
    'I had to explain it twice.',
    'Very good service!',
  ],
};

const BENGALI: Texts = {
  opening: [
    'আমার {month} মাসের বোনাস পাইনি, {amount} টাকা কম এসেছে।',
    'ট্রিপ {number} এর ভাড়া ভুল দেখাচ্ছে, {place} থেকে {place2} গিয়েছি।',
    'আমার অর্ডার {number} এখনো আসেনি, {minutes} মিনিট দেরি হয়েছে।',
    'আমার কাছ থেকে দুইবার {amount} টাকা কেটে নিয়েছে, টাকা ফেরত চাই।',
    'গাড়িতে আমার {thing} ফেলে এসেছি, ট্রিপ {number}।',
    'অ্যাপ বারবার বন্ধ হয়ে যাচ্ছে, কী করব?',
    'খাবার ঠান্ডা ছিল আর {dish} দেয়নি।',
    'আমার লাইসেন্স যাচাই হতে আর কত দিন লাগবে?',
  ],
  detail: [
    'হ্যাঁ।',
    'না, সেটা না।',
    'নম্বরটা হলো {number}।',
    '{place} এর কাছে ছিলাম, {minutes} মিনিট আগে।',
    'আগেও {days} দিন আগে জানিয়েছিলাম, কেউ উত্তর দেয়নি।',
    'এখনো {amount} টাকা দেখাচ্ছে।',
    'কতক্ষণ লাগবে?',
    'আমি এখন {place} এ আছি, ফোন করতে পারবেন?',
    'ছবি পাঠিয়েছি, দয়া করে দেখুন।',
    'বুঝলাম না, একটু বুঝিয়ে বলুন।',
    'আচ্ছা ঠিক আছে।',
  ],
  answer: [
    'আসসালামু আলাইকুম, আমাদের লেখার জন্য ধন্যবাদ। আমি দেখছি।',
    'দয়া করে ট্রিপ বা অর্ডারের নম্বরটা দিন।',
    'অর্ডার {number} পেয়েছি, একটু অপেক্ষা করুন।',
    'অসুবিধার জন্য দুঃখিত। {amount} টাকা ফেরত দেওয়া হয়েছে, {days} কর্মদিবস লাগবে।',
    'ঠিক করে দিয়েছি, অ্যাপ বন্ধ করে আবার খুলুন।',
    '{place} অফিস থেকে আপনার সাথে যোগাযোগ করা হবে।',
    'আর কোনো সাহায্য লাগবে?',
    'ব্যাংকে টাকা পৌঁছাতে {days} দিন লাগতে পারে।',
  ],
  thanks: ['ধন্যবাদ', 'অনেক ধন্যবাদ ভাই।', 'ঠিক আছে, ধন্যবাদ।', 'এখন কাজ করছে, ধন্যবাদ।'],
  note: ['ফোন করেছি, ধরেননি।', '{amount} টাকা ফেরত অনুমোদিত।', 'হিসাব বিভাগের অপেক্ষায়, টিকিট {number}।'],
  comment: ['খুব ভালো সেবা।', 'অনেক সময় লেগেছে।', 'সমস্যা সমাধান হয়েছে, ধন্যবাদ।'],
};

const PLACES =
  words(`Dhanmondi Gulshan Banani Uttara Mirpur Mohakhali Farmgate Motijheel Bashundhara Badda Rampura Malibagh
  Mohammadpur Shyamoli Khilgaon Tejgaon Shahbag Paltan Wari Lalbagh Azimpur Kakrail Shantinagar Baridhara Nikunja Khilkhet
  Airport Tongi Savar Ashulia Keraniganj Demra Jatrabari Postogola Sadarghat Gabtoli Agargaon Kazipara Pallabi Cantonment
  Moghbazar Eskaton Hatirpool Elephant Newmarket Nilkhet Katabon Banglamotor Karwan Panthapath Kalabagan Rayerbazar Hazaribagh
  Kamrangirchar Basabo Mugda Sayedabad Matuail Signboard Kanchpur Rupganj Purbachal Beraid Satarkul Vatara Kuril Diabari Turag`);
const PLACES_BN = words(`ধানমন্ডি গুলশান বনানী উত্তরা মিরপুর মহাখালী ফার্মগেট মতিঝিল বসুন্ধরা বাড্ডা রামপুরা মালিবাগ মোহাম্মদপুর শ্যামলী
  খিলগাঁও তেজগাঁও শাহবাগ পল্টন ওয়ারী লালবাগ আজিমপুর কাকরাইল বারিধারা নিকুঞ্জ খিলক্ষেত টঙ্গী সাভার আশুলিয়া যাত্রাবাড়ী গাবতলী`);
const THINGS =
  words(`phone wallet bag umbrella laptop keys jacket glasses charger passport watch helmet headphones camera shoes
  notebook tablet bottle scarf suitcase necklace hat book guitar stroller crutch violin telescope accordion didgeridoo`);
const THINGS_BN = words('মোবাইল ব্যাগ মানিব্যাগ ছাতা ল্যাপটপ চাবি ঘড়ি চশমা হেলমেট পাসপোর্ট বই ক্যামেরা');
const PAPERS = words('licence registration insurance colour plate tax-token fitness photo permit contract');
const DISHES =
  words(`biryani kacchi tehari burger pizza kebab naan paratha roll noodles soup salad rice curry borhani firni
  jalebi halim nihari fuchka chotpoti samosa shawarma pasta lasagna sushi falafel hummus tiramisu baklava`);
const DISHES_BN = words('বিরিয়ানি কাচ্চি তেহারি বার্গার কাবাব নান পরোটা রোল ফিরনি হালিম নিহারি ফুচকা চটপটি সমুচা');
const MONTHS = words('January February March April May June July August September October November December');
const MONTHS_BN = words('জানুয়ারি ফেব্রুয়ারি মার্চ এপ্রিল মে জুন জুলাই আগস্ট সেপ্টেম্বর অক্টোবর নভেম্বর ডিসেম্বর');
const BENGALI_DIGITS = '০১২৩৪৫৬৭৮৯';

/** A sentence as people write it, with numbers, places and things in it: some words in every other message, some in one. */
export function createText({ random, locale, userType }: TextPlan, kind: TextKind): string {
  const own = kind === 'opening' && locale === 'en' ? OPENINGS[userType] : undefined;
  const sentence = random.zipf(own ?? (locale === 'bn' ? BENGALI : ENGLISH)[kind]);
  // people repeat themselves less than templates do
  const more =
    kind !== 'thanks' && random.chance(0.25) ? ` ${random.one((locale === 'bn' ? BENGALI : ENGLISH)[kind])}` : '';
  return `${sentence}${more}`.replaceAll(/\{(\w+)\}/g, (_, slot: string) => fill(random, locale, slot));
}

/** The subject of a conversation, where there is one. */
export function createSubject({ random, userType }: TextPlan): string | null {
  if (!random.chance(0.3)) return null;
  return userType === 'restaurant'
    ? `Order ${random.integer(10_000, 999_999)}`
    : `Trip ${random.integer(10_000, 999_999)}`;
}

function fill(random: Random, locale: 'en' | 'bn', slot: string): string {
  const bn = locale === 'bn';
  switch (slot) {
    case 'place':
    case 'place2':
      return random.zipf(bn ? PLACES_BN : PLACES);
    case 'thing':
      return random.zipf(bn ? THINGS_BN : THINGS);
    case 'thing2':
      return random.zipf(PAPERS);
    case 'dish':
      return random.zipf(bn ? DISHES_BN : DISHES);
    case 'month':
      return random.one(bn ? MONTHS_BN : MONTHS);
    case 'number':
      return digits(random.integer(10_000, 999_999), bn);
    case 'amount':
      return digits(random.integer(5, 400) * 10, bn);
    case 'week':
      return digits(random.integer(4, 20), bn);
    default:
      return digits(random.integer(2, 55), bn);
  }
}

function digits(value: number, bn: boolean): string {
  return bn ? String(value).replaceAll(/\d/g, (digit) => BENGALI_DIGITS[Number(digit)] ?? digit) : String(value);
}

function words(text: string): readonly string[] {
  return text.split(/\s+/);
}
