/** Names the device, browser and system behind a User-Agent header, and tells robots. Keeps only names, never the header. */
import * as Bowser from "bowser";
import { isbot } from "isbot";
import { Recent } from "../../model/recent.ts";

export type Device = "Desktop" | "Mobile" | "Tablet" | "TV" | "";

/** Unknown names and versions are "". */
export interface Agent {
  readonly device: Device;
  readonly browser: string;
  /** Major version: minors are frozen in most browsers, and would only split the tables. */
  readonly browserVersion: string;
  readonly os: string;
  /** Major and minor; for Windows its product name (11 says "10": its browsers froze that text). */
  readonly osVersion: string;
  readonly bot: boolean;
  /** An HTTP library or command-line tool. No crawler runs one to post events: whoever does means it. */
  readonly library: boolean;
}

export type AgentParser = (userAgent: string) => Agent;

/** No header at all: counted, with nothing known about it, as server-side senders often leave it out. */
const UNKNOWN: Agent = {
  device: "",
  browser: "",
  browserVersion: "",
  os: "",
  osVersion: "",
  bot: false,
  library: false,
};

/** A browser writes 100 to 300 characters; what comes after this many cannot change the answer and would slow the patterns. */
const MAX_CHARS = 1_000;

/**
 * Browsers that only reveal themselves beside the engine's name: apps that open links in their own web view, and some
 * that bowser 2.15 takes for Chrome or gives the web view's version.
 */
const OWN_BROWSERS: ReadonlyArray<readonly [name: string, pattern: RegExp]> = [
  ["KakaoTalk", /KAKAOTALK[ /]?(\d*)/],
  ["NAVER", /NAVER\(inapp;[^)]*; (\d+)\.\d/],
  ["Instagram", /Instagram (\d+)/],
  ["Threads", /Barcelona (\d+)/],
  ["X", /Twitter for i(?:Phone|Pad)\/(\d+)/],
  ["Facebook", /FB(?:AN|AV|_IAB)\/[^;\]]*(?:;FBAV\/(\d+))?/],
  ["LINE", /\bLine\/(\d+)/],
  ["WeChat", /MicroMessenger\/(\d+)/],
  // On Android the number of a build stands before the version.
  ["TikTok", /(?:musical_ly|BytedanceWebview|trill)[_/](?:\d+ .*\bapp_version\/)?(\d*)/],
  ["LinkedIn", /\[LinkedInApp\]\/?(\d*)/],
  ["Snapchat", /Snapchat\/(\d+)/],
  ["Pinterest", /\[Pinterest\/(?:iOS|Android)\]()/],
  ["Huawei Browser", /HuaweiBrowser\/(\d+)/],
  ["MIUI Browser", /MiuiBrowser\/(\d+)/],
  ["UC Browser", /UC ?Browser\/(\d+)/],
  ["DuckDuckGo", /(?:DuckDuckGo|Ddg)\/(\d+)/],
  ["Opera", /(?:OPR|OPT|OPiOS|Opera Mini|OPX)\/(\d+)/],
  ["Brave", /\bBrave\/(\d+)/],
  ["Google App", /\bGSA\/(\d+)/],
  ["Android WebView", /; wv\).* Chrome\/(\d+)/],
];

/** bowser's names where the short one is the one people use. */
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  ["Samsung Internet for Android", "Samsung Internet"],
  ["NAVER Whale Browser", "Whale"],
  ["Google Search", "Google App"],
  ["PlayStation 4", "PlayStation"],
]);

const TV =
  /\b(?:SMART-?TV|SmartTV|Smart TV|HbbTV|AFT[A-Z]{1,4}|BRAVIA|Android TV|GoogleTV|CrKey|AppleTV|Roku|PlayStation|Xbox|Nintendo)\b/i;

/**
 * A parser of User-Agent headers that remembers the last `maxEntries` answers, and twice as many at most: an uncached
 * parse costs about 30 microseconds, and a site's visitors share a few hundred agents.
 */
export function agentParser({ maxEntries }: { readonly maxEntries: number }): AgentParser {
  const known = new Recent<string, Agent>(maxEntries);
  return (userAgent) => {
    const header = userAgent.length > MAX_CHARS ? userAgent.slice(0, MAX_CHARS) : userAgent;
    const cached = known.get(header);
    if (cached !== undefined) return cached;
    const agent = parseAgent(header);
    known.set(header, agent);
    return agent;
  };
}

/** How tools and libraries of common languages begin their header when nobody sets another. */
const LIBRARY =
  /^(?:aiohttp|Apache-HttpClient|axios|Bun|curl|Dart|Deno|Faraday|Go-http-client|got|GuzzleHttp|HTTPie|insomnia|Java|k6|libwww-perl|node|node-fetch|okhttp|PostmanRuntime|python-(?:httpx|requests|urllib\d?)|reqwest|Ruby|Symfony|undici|Wget|xh)\b/i;

/** Say that they are robots, and isbot 5.2.3 takes them for the browsers that they run. */
const OTHER_ROBOTS = /\b(?:Amzn-User|GTmetrix)\b/;

/**
 * A browser without a window is no robot by that alone: tests and monitors use it. Automation is refused where it can
 * be told apart, in the page (`navigator.webdriver`), by our collector and by other trackers.
 */
const windowed = (header: string): string => header.replace("HeadlessChrome/", "Chrome/");

function parseAgent(raw: string): Agent {
  if (raw.trim() === "") return UNKNOWN;
  const header = windowed(raw);
  const parsed = Bowser.parse(header);
  const [browser, browserVersion] = nameBrowser(header, parsed);
  const isConsole = /PlayStation/.test(header);
  const os = isConsole ? "PlayStation" : shortName(parsed.os.name);
  return {
    device: nameDevice(header, parsed, os),
    browser,
    browserVersion,
    os,
    osVersion:
      os === "Windows" ? (parsed.os.versionName ?? "") : isConsole ? "" : majorMinor(parsed.os.version),
    bot: isbot(header) || parsed.platform.type === "bot" || OTHER_ROBOTS.test(header),
    library: LIBRARY.test(header),
  };
}

function nameBrowser(header: string, parsed: Bowser.Parser.ParsedResult): readonly [string, string] {
  for (const [name, pattern] of OWN_BROWSERS) {
    const match = pattern.exec(header);
    if (match !== null) return [name, match[1] ?? ""];
  }
  return [shortName(parsed.browser.name), parsed.browser.version?.split(".", 1)[0] ?? ""];
}

function nameDevice(header: string, parsed: Bowser.Parser.ParsedResult, os: string): Device {
  if (parsed.platform.type === "tv" || TV.test(header)) return "TV";
  switch (parsed.platform.type) {
    case "desktop":
      return "Desktop";
    case "mobile":
      return "Mobile";
    case "tablet":
      return "Tablet";
    default:
      return os === "Chrome OS" ? "Desktop" : "";
  }
}

const shortName = (name: string | undefined): string =>
  name === undefined ? "" : (SHORT_NAMES.get(name) ?? name);

const majorMinor = (version: string | undefined): string => version?.split(".", 2).join(".") ?? "";
