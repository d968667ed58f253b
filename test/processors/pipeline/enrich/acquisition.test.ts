import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pageUrl } from "../../../../processors/pipeline/decode/url.ts";
import { acquire, CHANNELS, DIRECT_NONE } from "../../../../processors/pipeline/enrich/acquisition.ts";
import { fastestMs } from "../../../kit/fastest.ts";

const land = (query: string, referrer: string, host = "example.com") => {
  const url = pageUrl(`https://${host}/${query && `?${query}`}`, "u");
  if ("reason" in url) throw new Error(url.message);
  return acquire(url, referrer);
};

type Row = readonly [query: string, referrer: string, source: string, channel: (typeof CHANNELS)[number]];

const NO_TAGS: readonly Row[] = [
  ["", "", DIRECT_NONE, "Direct"],
  ["", "https://www.google.com/", "Google", "Organic Search"],
  ["", "https://www.google.co.kr/search?q=x", "Google", "Organic Search"],
  ["", "https://google.de/", "Google", "Organic Search"],
  ["", "https://google.com.au/", "Google", "Organic Search"],
  ["", "android-app://com.google.android.googlequicksearchbox/", "Google", "Organic Search"],
  ["", "https://cn.bing.com/search", "Bing", "Organic Search"],
  ["", "https://duckduckgo.com/", "DuckDuckGo", "Organic Search"],
  ["", "https://search.yahoo.co.jp/", "Yahoo!", "Organic Search"],
  ["", "https://de.search.yahoo.com/", "Yahoo!", "Organic Search"],
  ["", "https://yandex.com.tr/", "Yandex", "Organic Search"],
  ["", "https://m.search.naver.com/search.naver?query=x", "Naver", "Organic Search"],
  ["", "https://search.daum.net/search", "Daum", "Organic Search"],
  ["", "https://www.baidu.com/s", "Baidu", "Organic Search"],
  ["", "https://search.brave.com/", "Brave", "Organic Search"],
  ["", "https://www.ecosia.org/", "Ecosia", "Organic Search"],
  ["", "https://chatgpt.com/", "ChatGPT", "AI Assistants"],
  ["", "https://claude.ai/chat/1", "Claude", "AI Assistants"],
  ["", "https://www.perplexity.ai/", "Perplexity", "AI Assistants"],
  ["", "https://gemini.google.com/app", "Gemini", "AI Assistants"],
  ["", "https://copilot.microsoft.com/", "Copilot", "AI Assistants"],
  ["", "https://grok.com/", "Grok", "AI Assistants"],
  ["", "https://news.ycombinator.com/item?id=1", "Hacker News", "Organic Social"],
  ["", "https://t.co/abc", "X (Twitter)", "Organic Social"],
  ["", "https://x.com/", "X (Twitter)", "Organic Social"],
  ["", "https://l.facebook.com/l.php?u=x", "Facebook", "Organic Social"],
  ["fbclid=1", "https://lm.facebook.com/", "Facebook", "Organic Social"],
  ["", "https://l.instagram.com/", "Instagram", "Organic Social"],
  ["", "https://old.reddit.com/r/x", "Reddit", "Organic Social"],
  ["", "android-app://com.reddit.frontpage/", "Reddit", "Organic Social"],
  ["", "https://www.linkedin.com/feed/", "LinkedIn", "Organic Social"],
  ["", "https://lnkd.in/x", "LinkedIn", "Organic Social"],
  ["", "https://www.pinterest.co.uk/pin/1", "Pinterest", "Organic Social"],
  ["", "https://bsky.app/", "Bluesky", "Organic Social"],
  ["", "https://blog.naver.com/x/1", "Naver Blog", "Organic Social"],
  ["", "https://cafe.daum.net/x", "Daum Cafe", "Organic Social"],
  ["", "https://someone.tistory.com/1", "Tistory", "Organic Social"],
  ["", "https://github.com/a/b", "GitHub", "Organic Social"],
  ["", "https://www.youtube.com/watch?v=x", "YouTube", "Organic Video"],
  ["", "https://youtu.be/x", "YouTube", "Organic Video"],
  ["", "https://www.tiktok.com/@a", "TikTok", "Organic Video"],
  ["", "https://www.twitch.tv/", "Twitch", "Organic Video"],
  ["", "https://www.amazon.co.jp/dp/1", "Amazon", "Organic Shopping"],
  ["", "https://shopping.naver.com/", "Naver Shopping", "Organic Shopping"],
  ["", "https://www.etsy.com/", "Etsy", "Organic Shopping"],
  ["", "https://mail.google.com/mail/u/0/", "Gmail", "Email"],
  ["", "android-app://com.google.android.gm/", "Gmail", "Email"],
  ["", "https://outlook.live.com/", "Outlook", "Email"],
  ["", "https://en.m.wikipedia.org/wiki/Tea", "Wikipedia", "Referral"],
  // Who signs in through them comes back from there, and has searched for nothing.
  ["", "https://accounts.google.com/", "Google Accounts", "Referral"],
  ["", "https://nid.naver.com/", "Naver Login", "Referral"],
  ["", "https://drive.google.com/", "Google Drive", "Referral"],
  ["", "https://duck.ai/", "Duck.ai", "AI Assistants"],
  ["", "https://teams.cloud.microsoft/", "Microsoft Teams", "Organic Social"],
  ["", "https://outlook.cloud.microsoft/mail/", "Outlook", "Email"],
  ["", "https://www.google.com./", "Google", "Organic Search"],
  ["", "android-app://com.pinterest/", "Pinterest", "Organic Social"],
  ["", "android-app://com.instagram.barcelona/", "Threads", "Organic Social"],
  ["", "android-app://org.telegram.messenger.web/", "Telegram", "Organic Social"],
  ["", "android-app://com.ss.android.ugc.trill/", "TikTok", "Organic Video"],
  ["", "android-app://com.anthropic.claude/", "Claude", "AI Assistants"],
  ["", "android-app://com.google.android.apps.bard/", "Gemini", "AI Assistants"],
  ["", "https://www.some-blog.net/post/", "some-blog.net", "Referral"],
  ["", "android-app://org.example.reader/", "android-app://org.example.reader", "Referral"],
  ["", "https://notgoogle.com/", "notgoogle.com", "Referral"],
  ["", "https://google.com.evil.example/", "google.com.evil.example", "Referral"],
  ["gclid=1", "https://www.google.com/", "Google", "Paid Search"],
  ["wbraid=1", "https://www.google.com/", "Google", "Paid Search"],
  ["msclkid=1", "https://www.bing.com/", "Bing", "Paid Search"],
  ["msclkid=1", "https://www.google.com/", "Google", "Paid Search"],
  ["gclid=1", "", "Google", "Paid Search"],
  ["msclkid=1", "", "Bing", "Paid Search"],
  ["ttclid=1", "", "TikTok", "Paid Video"],
  ["twclid=1", "https://t.co/x", "X (Twitter)", "Paid Social"],
  ["li_fat_id=1", "", "LinkedIn", "Paid Social"],
  ["fbclid=1", "", DIRECT_NONE, "Direct"],
];

const TAGS: readonly Row[] = [
  ["utm_source=google", "", "Google", "Organic Search"],
  ["utm_source=GOOGLE&utm_medium=CPC", "", "Google", "Paid Search"],
  ["utm_source=adwords", "", "Google", "Paid Search"],
  ["utm_source=google-ads", "", "Google", "Paid Search"],
  ["utm_source=bing&utm_medium=ppc", "", "Bing", "Paid Search"],
  ["utm_source=ig", "https://www.google.com/", "Instagram", "Organic Social"],
  ["utm_source=facebook&utm_medium=paid_social", "", "Facebook", "Paid Social"],
  ["utm_source=fb-ads", "", "Facebook", "Paid Social"],
  ["utm_source=yt-ads", "", "YouTube", "Paid Video"],
  ["utm_source=youtube&utm_medium=cpv", "", "YouTube", "Paid Video"],
  ["utm_source=chatgpt.com", "https://chatgpt.com/", "ChatGPT", "AI Assistants"],
  ["utm_source=openai", "", "ChatGPT", "AI Assistants"],
  ["ref=producthunt.com", "", "Product Hunt", "Organic Social"],
  ["ref=friend.example", "", "friend.example", "Referral"],
  ["source=hn", "", "Hacker News", "Organic Social"],
  ["utm_source=a&source=b&ref=c", "", "a", "Referral"],
  ["utm_source=newsletter", "", "newsletter", "Email"],
  ["utm_source=acme&utm_medium=e-mail", "", "acme", "Email"],
  ["utm_medium=email", "", DIRECT_NONE, "Email"],
  ["utm_source=partner&utm_medium=affiliate", "", "partner", "Affiliates"],
  ["utm_source=podcast&utm_medium=audio", "", "podcast", "Audio"],
  ["utm_source=sms", "", "sms", "SMS"],
  ["utm_medium=sms", "", DIRECT_NONE, "SMS"],
  ["utm_source=firebase", "", "firebase", "Mobile Push Notifications"],
  ["utm_source=app&utm_medium=web-push", "", "app", "Mobile Push Notifications"],
  ["utm_source=x1&utm_medium=banner", "", "x1", "Display"],
  ["utm_source=google&utm_medium=display", "", "Google", "Display"],
  ["utm_source=x1&utm_medium=cpa", "", "x1", "Paid Other"],
  ["utm_source=x1&utm_medium=cpc", "", "x1", "Paid Other"],
  ["utm_source=x1&utm_medium=retargeting", "", "x1", "Paid Other"],
  ["utm_source=x1&utm_medium=social", "", "x1", "Organic Social"],
  ["utm_source=x1&utm_medium=video", "", "x1", "Organic Video"],
  ["utm_source=x1&utm_medium=organic", "", "x1", "Organic Search"],
  ["utm_source=x1&utm_campaign=spring-shop", "", "x1", "Organic Shopping"],
  ["utm_source=x1&utm_campaign=workshop", "", "x1", "Referral"],
  ["utm_source=x1&utm_campaign=eshop-may", "", "x1", "Organic Shopping"],
  ["utm_source=x1&utm_campaign=photoshop", "", "x1", "Referral"],
  ["utm_source=amazon&utm_medium=cpc", "", "Amazon", "Paid Shopping"],
  ["utm_source=x1&utm_medium=cpc&utm_campaign=shopping", "", "x1", "Paid Shopping"],
  ["utm_source=google&utm_medium=cpc&utm_campaign=Cross-Network", "", "Google", "Cross-network"],
  ["utm_medium=referral", "", DIRECT_NONE, "Referral"],
];

describe("acquire", () => {
  it.each(NO_TAGS)("?%s from '%s' is %s by %s", (query, referrer, source, channel) => {
    expect(land(query, referrer)).toMatchObject({ source, channel });
  });

  it.each(TAGS)("?%s from '%s' is tagged as %s by %s", (query, referrer, source, channel) => {
    expect(land(query, referrer)).toMatchObject({ source, channel });
  });

  it.each([
    { host: "example.com", referrer: "https://example.com/a" },
    { host: "example.com", referrer: "https://www.example.com/a" },
    { host: "www.example.com", referrer: "http://EXAMPLE.com" },
    { host: "shop.example.com", referrer: "https://example.com/" },
    { host: "example.com", referrer: "https://shop.example.com/" },
    { host: "example.com", referrer: "https://example.com./" },
    { host: "example.com", referrer: "http://localhost:3000/" },
    { host: "example.com", referrer: "about:blank" },
    { host: "example.com", referrer: "javascript:alert(1)" },
    { host: "example.com", referrer: "not a URL" },
    { host: "example.com", referrer: "https://" },
  ])("is direct on $host from $referrer", ({ host, referrer }) => {
    expect(land("", referrer, host)).toMatchObject({
      source: DIRECT_NONE,
      channel: "Direct",
      referrer: DIRECT_NONE,
    });
  });

  it("is not fooled by a foreign host that ends alike", () => {
    expect(land("", "https://notexample.com/").source).toBe("notexample.com");
  });

  it("keeps host and path of the referrer, and never its query", () => {
    expect(land("", "https://www.Blog.net/Post/1/?token=secret#x").referrer).toBe("blog.net/Post/1");
    expect(land("", "https://t.co/").referrer).toBe("t.co");
    expect(land("", "android-app://org.example.reader/").referrer).toBe("android-app://org.example.reader");
  });

  it("keeps campaign tags as they were written, and absent ones empty", () => {
    expect(land("utm_source=Google&utm_medium=CPC&utm_campaign=Spring%20Sale", "")).toMatchObject({
      ...{
        source: "Google",
        utmSource: "Google",
        utmMedium: "CPC",
        utmCampaign: "Spring Sale",
        utmTerm: "",
        utmContent: "",
      },
    });
  });

  it("answers with a channel of the closed list, whatever the referrer and tags", () => {
    const word = fc.oneof(fc.string(), fc.constantFrom("google", "cpc", "email", "video", "shop", "push"));
    fc.assert(
      fc.property(
        fc.oneof(fc.webUrl(), fc.string()),
        word,
        word,
        word,
        (referrer, source, medium, campaign) => {
          const query = new URLSearchParams({
            utm_source: source,
            utm_medium: medium,
            utm_campaign: campaign,
          });
          const acquired = land(query.toString(), referrer);
          expect(CHANNELS).toContain(acquired.channel);
          expect(acquired.source).not.toBe("");
          expect(acquired.referrer).not.toContain("?");
        },
      ),
    );
  });

  it.each([
    ["a referrer made of slashes", "", (i: number) => `https://a.com/${"/".repeat(1_900)}${i}`],
    ["a medium made of cp", `utm_medium=${"cp".repeat(950)}%E2%80%A8x`, () => ""],
    ["a campaign made of shops", `utm_campaign=${"-shop".repeat(380)}%E2%80%A8x`, () => ""],
  ])("reads %s at the price of any other", (_, query, referrer) => {
    const hundred = () => {
      for (let i = 0; i < 100; i++) land(query, referrer(i));
    };
    expect(fastestMs(hundred, 100)).toBeLessThan(100);
  });

  it("looks a tag of a thousand dots up at the price of a short one", () => {
    const tag = "a.".repeat(999);
    const hundred = () => {
      for (let i = 0; i < 100; i++) land(`utm_source=${tag}`, "");
    };
    expect(fastestMs(hundred, 200)).toBeLessThan(200);
  });
});
