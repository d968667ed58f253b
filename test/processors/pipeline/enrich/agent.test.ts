import { describe, expect, it } from "vitest";
import { agentParser } from "../../../../processors/pipeline/enrich/agent.ts";
import { BOTS, BROWSERS } from "../../../kit/agents.ts";
import { fastestMs } from "../../../kit/fastest.ts";

const parse = agentParser({ maxEntries: 100 });
const WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)";
const APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
const IPHONE = `Mozilla/5.0 (iPhone; CPU iPhone OS 18_6_2 like Mac OS X) ${APPLE}`;
const WINDOWS = `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/142.0.0.0 Safari/537.36`;
const ANDROID = `Mozilla/5.0 (Linux; Android 14; SM-S928N) ${WEBKIT}`;

describe("agentParser", () => {
  it.each([
    [WINDOWS, "Desktop", "Chrome", "142", "Windows", "10"],
    [`${WINDOWS} Edg/142.0.0.0`, "Desktop", "Microsoft Edge", "142", "Windows", "10"],
    [`${WINDOWS} OPR/124.0.0.0`, "Desktop", "Opera", "124", "Windows", "10"],
    [`${WINDOWS} Vivaldi/7.6`, "Desktop", "Vivaldi", "7", "Windows", "10"],
    [
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/140.0.0.0 Whale/4.34.340.19 Safari/537.36`,
      "Desktop",
      "Whale",
      "4",
      "Windows",
      "10",
    ],
    [
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/140.0.0.0 YaBrowser/25.8.0 Safari/537.36`,
      "Desktop",
      "Yandex Browser",
      "25",
      "Windows",
      "10",
    ],
    [
      "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
      "Desktop",
      "Internet Explorer",
      "11",
      "Windows",
      "7",
    ],
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
      "Desktop",
      "Firefox",
      "144",
      "Windows",
      "10",
    ],
    [
      `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${APPLE} Version/18.6 Safari/605.1.15`,
      "Desktop",
      "Safari",
      "18",
      "macOS",
      "10.15",
    ],
    [
      `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${WEBKIT} Chrome/142.0.0.0 Safari/537.36`,
      "Desktop",
      "Chrome",
      "142",
      "macOS",
      "10.15",
    ],
    [
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:144.0) Gecko/20100101 Firefox/144.0",
      "Desktop",
      "Firefox",
      "144",
      "macOS",
      "10.15",
    ],
    [
      "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
      "Desktop",
      "Firefox",
      "144",
      "Linux",
      "",
    ],
    [
      `Mozilla/5.0 (X11; Linux x86_64) ${WEBKIT} Chrome/142.0.0.0 Safari/537.36`,
      "Desktop",
      "Chrome",
      "142",
      "Linux",
      "",
    ],
    [
      `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${WEBKIT} Chrome/142.0.0.0 Safari/537.36`,
      "Desktop",
      "Chrome",
      "142",
      "Chrome OS",
      "",
    ],
    [`${IPHONE} Version/18.6 Mobile/15E148 Safari/604.1`, "Mobile", "Safari", "18", "iOS", "18.6"],
    [`${IPHONE} CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1`, "Mobile", "Chrome", "142", "iOS", "18.6"],
    [`${IPHONE} FxiOS/144.0 Mobile/15E148 Safari/605.1.15`, "Mobile", "Firefox", "144", "iOS", "18.6"],
    [
      `${IPHONE} Version/18.0 EdgiOS/142.0 Mobile/15E148 Safari/605.1.15`,
      "Mobile",
      "Microsoft Edge",
      "142",
      "iOS",
      "18.6",
    ],
    [`${IPHONE} GSA/340.0 Mobile/15E148 Safari/604.1`, "Mobile", "Google App", "340", "iOS", "18.6"],
    [
      `Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A; wv) ${WEBKIT} Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36 GSA/16.40.29`,
      "Mobile",
      "Google App",
      "16",
      "Android",
      "14",
    ],
    [
      `${IPHONE} Mobile/15E148 Barcelona 400.0.0.40 (iPhone14,5; iOS 18_6_2; en_US)`,
      "Mobile",
      "Threads",
      "400",
      "iOS",
      "18.6",
    ],
    [
      `${ANDROID} Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36 musical_ly_2024105030 JsSdk/1.0 AppName/musical_ly app_version/41.5.3 AppVersion/41.5.3 BytedanceWebview/d8a21c6`,
      "Mobile",
      "TikTok",
      "41",
      "Android",
      "14",
    ],
    [`${IPHONE} Mobile/15E148 Twitter for iPhone/11.30`, "Mobile", "X", "11", "iOS", "18.6"],
    [
      `${IPHONE} Version/18.6 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15`,
      "Mobile",
      "DuckDuckGo",
      "7",
      "iOS",
      "18.6",
    ],
    [
      `${IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/480.0.0.0;FBBV/1]`,
      "Mobile",
      "Facebook",
      "480",
      "iOS",
      "18.6",
    ],
    [
      `${IPHONE} Mobile/22A3354 Instagram 350.0.0.0 (iPhone14,5; iOS 18_6)`,
      "Mobile",
      "Instagram",
      "350",
      "iOS",
      "18.6",
    ],
    [
      `${IPHONE} Mobile/15E148 Safari/604.1 NAVER(inapp; search; 2000; 12.5.0; 14PRO)`,
      "Mobile",
      "NAVER",
      "12",
      "iOS",
      "18.6",
    ],
    [`${IPHONE} Mobile/15E148 KAKAOTALK/11.2.0 (INAPP)`, "Mobile", "KakaoTalk", "11", "iOS", "18.6"],
    [`${IPHONE} Mobile/15E148 Safari Line/14.9.0`, "Mobile", "LINE", "14", "iOS", "18.6"],
    [
      `Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) ${APPLE} Version/17.5 Mobile/15E148 Safari/604.1`,
      "Tablet",
      "Safari",
      "17",
      "iOS",
      "17.5",
    ],
    [
      `Mozilla/5.0 (Linux; Android 10; K) ${WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36`,
      "Mobile",
      "Chrome",
      "142",
      "Android",
      "10",
    ],
    [
      `Mozilla/5.0 (Linux; Android 10; K) ${WEBKIT} Chrome/142.0.0.0 Safari/537.36`,
      "Tablet",
      "Chrome",
      "142",
      "Android",
      "10",
    ],
    [
      `Mozilla/5.0 (Linux; Android 10; K) ${WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36 EdgA/142.0.0.0`,
      "Mobile",
      "Microsoft Edge",
      "142",
      "Android",
      "10",
    ],
    [
      `${ANDROID} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
      "Mobile",
      "Samsung Internet",
      "28",
      "Android",
      "14",
    ],
    [
      `${ANDROID} Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36 KAKAOTALK 25.8.2`,
      "Mobile",
      "KakaoTalk",
      "25",
      "Android",
      "14",
    ],
    [
      `Mozilla/5.0 (Linux; Android 14; SM-S928N Build/UP1A; wv) ${WEBKIT} Version/4.0 Chrome/141.0.7390.111 Mobile Safari/537.36`,
      "Mobile",
      "Android WebView",
      "141",
      "Android",
      "14",
    ],
    [
      `${ANDROID} Version/4.0 Chrome/100.0.4896.58 UCBrowser/13.7.8.1320 Mobile Safari/537.36`,
      "Mobile",
      "UC Browser",
      "13",
      "Android",
      "14",
    ],
    [
      `Mozilla/5.0 (Linux; Android 10; MAR-LX1A) ${WEBKIT} Chrome/114.0.5735.196 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36`,
      "Mobile",
      "Huawei Browser",
      "15",
      "Android",
      "10",
    ],
    [
      `Mozilla/5.0 (Linux; Android 10; CUBOT X30) ${WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36`,
      "Mobile",
      "Chrome",
      "120",
      "Android",
      "10",
    ],
    [
      "Mozilla/5.0 (Android 14; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0",
      "Mobile",
      "Firefox",
      "144",
      "Android",
      "14",
    ],
    [
      `Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) ${WEBKIT} Version/5.0 TV Safari/537.36`,
      "TV",
      "Tizen",
      "5",
      "Tizen",
      "7.0",
    ],
    [
      `Mozilla/5.0 (Web0S; Linux/SmartTV) ${WEBKIT} Chrome/108.0.0.0 Safari/537.36 WebAppManager`,
      "TV",
      "WebOS Browser",
      "",
      "WebOS",
      "",
    ],
    [
      `Mozilla/5.0 (Linux; Android 11; BRAVIA 4K) ${WEBKIT} Chrome/100.0.0.0 Safari/537.36`,
      "TV",
      "Chrome",
      "100",
      "Android",
      "11",
    ],
    [
      `Mozilla/5.0 (Linux; Android 9; AFTKA) ${WEBKIT} Silk/120.0 like Chrome/120.0 Safari/537.36`,
      "TV",
      "Amazon Silk",
      "120",
      "Android",
      "9",
    ],
    [
      `Mozilla/5.0 (PlayStation; PlayStation 5/4.03) ${APPLE} Version/15.4 Safari/605.1.15`,
      "TV",
      "Safari",
      "15",
      "PlayStation",
      "",
    ],
  ])("%s", (header, device, browser, browserVersion, os, osVersion) => {
    expect(parse(header)).toEqual({
      device,
      browser,
      browserVersion,
      os,
      osVersion,
      bot: false,
      library: false,
    });
  });

  it.each([
    ...BOTS,
    `Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Amzn-User/0.1) Chrome/119.0.6045.214 Safari/537.36`,
    `Mozilla/5.0 (X11; Linux x86_64) ${WEBKIT} Chrome/140.0.7339.16 Safari/537.36 Agent-NovaAct/0.9`,
    `Mozilla/5.0 (X11; Linux x86_64) ${WEBKIT} Chrome/120.0.0.0 Safari/537.36 GTmetrix`,
    "curl/8.5.0",
    "python-requests/2.31.0",
    "Go-http-client/2.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    `Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) ${WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)`,
  ])("knows a robot: %s", (header) => {
    expect(parse(header).bot).toBe(true);
  });

  it.each([
    "curl/8.5.0",
    "python-requests/2.31.0",
    "Go-http-client/2.0",
    "node",
    "okhttp/4.12.0",
    "Wget/1.21.3",
  ])("tells a library that somebody uses to report events from a crawler: %s", (header) => {
    expect(parse(header).library).toBe(true);
  });

  it("takes a browser without a window for the browser that it is", () => {
    const header = `Mozilla/5.0 (X11; Linux x86_64) ${WEBKIT} HeadlessChrome/141.0.0.0 Safari/537.36`;
    expect(parse(header)).toMatchObject({ browser: "Chrome", bot: false });
  });

  it("takes none of the generated browsers for a robot, and names each of them", () => {
    for (const { text } of BROWSERS) {
      const agent = parse(text);
      expect({
        text,
        ...agent,
        isNamed: agent.browser !== "" && agent.os !== "" && agent.device !== "",
      }).toMatchObject({
        ...{ text, bot: false, isNamed: true },
      });
    }
  });

  it("knows nothing about a missing header, and does not call it a robot", () => {
    const unknown = {
      device: "",
      browser: "",
      browserVersion: "",
      os: "",
      osVersion: "",
      bot: false,
      library: false,
    };
    expect(parse("")).toEqual(unknown);
    expect(parse("  ")).toEqual(unknown);
  });

  it("answers the same from its cache, also after the entry was pushed out", () => {
    const small = agentParser({ maxEntries: 2 });
    const first = small(WINDOWS);
    expect(small(WINDOWS)).toBe(first);
    for (const { text } of BROWSERS.slice(0, 5)) small(text);
    expect(small(WINDOWS)).not.toBe(first);
    expect(small(WINDOWS)).toEqual(first);
  });

  it("reads a header of any length in bounded time", () => {
    for (const unit of ["a", "(", "; ", "Mozilla/5.0 (", "Android ", "1.", "\u0000"]) {
      // Each by a parser of its own, whose cache has not seen it.
      const read = () => agentParser({ maxEntries: 1 })(unit.repeat(100_000));
      expect(fastestMs(read, 250)).toBeLessThan(250);
    }
  });
});
