/** User agents of real shape, built from tables of systems, browsers and versions, with rough shares of use. */

export interface UserAgent {
  readonly text: string;
  readonly weight: number;
  /** Viewport sizes that go with it. */
  readonly screens: ReadonlyArray<readonly [width: number, height: number]>;
}

type Screens = UserAgent["screens"];

const PHONE: Screens = [
  [360, 800],
  [390, 844],
  [393, 852],
  [412, 915],
  [430, 932],
  [375, 667],
];
const TABLET: Screens = [
  [768, 1024],
  [810, 1080],
  [820, 1180],
  [800, 1280],
];
const DESKTOP: Screens = [
  [1280, 720],
  [1366, 768],
  [1440, 900],
  [1536, 864],
  [1920, 1080],
  [2560, 1440],
];

const WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)";
const APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
const DESKTOPS: ReadonlyArray<readonly [system: string, weight: number]> = [
  ["Windows NT 10.0; Win64; x64", 70],
  ["Macintosh; Intel Mac OS X 10_15_7", 20],
  ["X11; Linux x86_64", 6],
  ["X11; CrOS x86_64 14541.0.0", 4],
];
const PHONES = [
  "SM-S921N",
  "SM-S928B",
  "SM-A546E",
  "SM-G991N",
  "Pixel 7",
  "Pixel 8 Pro",
  "2201117TG",
  "CPH2451",
  "V2204",
];
const IOS = ["16_7", "17_4", "17_5_1", "17_6", "18_1", "18_3_2", "18_5", "18_6"];

/** Newest first: half of the users have the newest version, a quarter the one before... and some never update. */
const versions = (newest: number, count: number): ReadonlyArray<readonly [version: number, share: number]> =>
  Array.from({ length: count }, (_, age) => [newest - age, 0.5 ** (age + 1) + 0.01] as const);

function build(): UserAgent[] {
  const agents: UserAgent[] = [];
  const add = (weight: number, screens: Screens, text: string): void => {
    agents.push({ text: `Mozilla/5.0 ${text}`, weight, screens });
  };
  for (const [system, share] of DESKTOPS) {
    for (const [chrome, recent] of versions(142, 16)) {
      const engine = `(${system}) ${WEBKIT} Chrome/${chrome}.0.0.0 Safari/537.36`;
      add(28 * share * recent, DESKTOP, engine);
      if (!system.includes("CrOS")) add(6 * share * recent, DESKTOP, `${engine} Edg/${chrome}.0.0.0`);
      if (!system.includes("CrOS")) add(share * recent, DESKTOP, `${engine} OPR/${chrome - 18}.0.0.0`);
    }
    for (const [firefox, recent] of versions(144, 8)) {
      const gecko = system.replace("Intel Mac OS X 10_15_7", "Intel Mac OS X 10.15");
      if (!system.includes("CrOS")) {
        add(3 * share * recent, DESKTOP, `(${gecko}; rv:${firefox}.0) Gecko/20100101 Firefox/${firefox}.0`);
      }
    }
  }
  for (const [whale, recent] of versions(34, 6)) {
    add(
      90 * recent,
      DESKTOP,
      `(Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/140.0.0.0 Whale/4.${whale}.340.19 Safari/537.36`,
    );
  }
  for (const [yandex, recent] of versions(25, 4)) {
    add(
      40 * recent,
      DESKTOP,
      `(Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/138.0.0.0 YaBrowser/${yandex}.8.0.0 Safari/537.36`,
    );
  }
  for (const safari of ["16.6", "17.4.1", "17.6", "18.1", "18.3", "18.5", "18.6", "26.0", "26.1"]) {
    add(60, DESKTOP, `(Macintosh; Intel Mac OS X 10_15_7) ${APPLE} Version/${safari} Safari/605.1.15`);
  }
  for (const ios of IOS) {
    const version = ios.split("_").slice(0, 2).join(".");
    add(
      200,
      PHONE,
      `(iPhone; CPU iPhone OS ${ios} like Mac OS X) ${APPLE} Version/${version} Mobile/15E148 Safari/604.1`,
    );
    add(
      25,
      TABLET,
      `(iPad; CPU OS ${ios} like Mac OS X) ${APPLE} Version/${version} Mobile/15E148 Safari/604.1`,
    );
    add(
      6,
      PHONE,
      `(iPhone; CPU iPhone OS ${ios} like Mac OS X) ${APPLE} Mobile/15E148 KAKAOTALK/11.2.0 (INAPP)`,
    );
    add(
      6,
      PHONE,
      `(iPhone; CPU iPhone OS ${ios} like Mac OS X) ${APPLE} Mobile/15E148 Instagram 350.0.0.25.90`,
    );
    for (const chrome of [139, 140, 141, 142]) {
      add(
        4,
        PHONE,
        `(iPhone; CPU iPhone OS ${ios} like Mac OS X) ${APPLE} CriOS/${chrome}.0.7444.77 Mobile/15E148 Safari/604.1`,
      );
    }
    for (const firefox of [143, 144]) {
      add(
        1,
        PHONE,
        `(iPhone; CPU iPhone OS ${ios} like Mac OS X) ${APPLE} FxiOS/${firefox}.0 Mobile/15E148 Safari/605.1.15`,
      );
    }
  }
  for (const [chrome, recent] of versions(142, 16)) {
    // Chrome froze the model to "K" and the system to 10 in 2023.
    add(2200 * recent, PHONE, `(Linux; Android 10; K) ${WEBKIT} Chrome/${chrome}.0.0.0 Mobile Safari/537.36`);
    add(120 * recent, TABLET, `(Linux; Android 10; K) ${WEBKIT} Chrome/${chrome}.0.0.0 Safari/537.36`);
    add(
      40 * recent,
      PHONE,
      `(Linux; Android 10; K) ${WEBKIT} Chrome/${chrome}.0.0.0 Mobile Safari/537.36 EdgA/${chrome}.0.0.0`,
    );
  }
  for (const model of PHONES) {
    for (const android of [13, 14, 15]) {
      const system = `Linux; Android ${android}; ${model}`;
      for (const samsung of model.startsWith("SM-") ? [26, 27, 28] : []) {
        add(
          16,
          PHONE,
          `(${system}) ${WEBKIT} SamsungBrowser/${samsung}.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
        );
      }
      add(8, PHONE, `(${system}; wv) ${WEBKIT} Version/4.0 Chrome/141.0.7390.111 Mobile Safari/537.36`);
      add(
        5,
        PHONE,
        `(${system}) ${WEBKIT} Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36 KAKAOTALK 25.8.2`,
      );
      add(2, PHONE, `(Android ${android}; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0`);
    }
  }
  add(10, DESKTOP, `(SMART-TV; LINUX; Tizen 7.0) ${WEBKIT} 94.0.4606.31/7.0 TV Safari/537.36`);
  add(6, DESKTOP, `(Web0S; Linux/SmartTV) ${WEBKIT} Chrome/108.0.5359.211 Safari/537.36 WebAppManager`);
  // Two tables above can name one agent: Firefox on Android does not tell the model.
  return [...new Map(agents.map((agent) => [agent.text, agent])).values()];
}

/** People's browsers, over 400 of them. */
export const BROWSERS: readonly UserAgent[] = build();

/** Robots that run scripts or imitate those that do. */
export const BOTS: readonly string[] = [
  "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/141.0.0.0 Safari/537.36",
  "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/136.0.0.0 Safari/537.36",
  "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
  "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
  "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
  "Mozilla/5.0 (Linux; Android 11; moto g power (2022)) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Mobile Safari/537.36 Chrome-Lighthouse",
  "Mozilla/5.0 (compatible; Yeti/1.1; +https://naver.me/spd)",
];
