/**
 * Who is behind a referrer's host or a campaign tag, and what kind of place that is. Kept by hand.
 * The kinds follow the site lists of Google Analytics' default channel group (support.google.com/analytics/answer/9756891)
 * with AI assistants as a kind of their own; hosts are those the services send today. Last reviewed 2025-11.
 */

export type SourceKind = "search" | "social" | "video" | "shopping" | "email" | "ai" | "other";

export interface Source {
  readonly name: string;
  readonly kind: SourceKind;
}

/**
 * One service a line: name, then hosts (with a dot; they own their subdomains), Android packages, and tags (no dot) that
 * people write into utm_source. A tag that ends in `$` is an advertisement by its name alone.
 */
const TABLE: Readonly<Record<SourceKind, string>> = {
  search: `
Google: google.com com.google.android.googlequicksearchbox com.google.android.apps.searchlite googlesearch adwords$ googleads$ google-ads$ google_ads$ gads$
Bing: bing.com ntp.msn.com com.microsoft.bing bingads$ bing-ads$ bing_ads$ microsoft-ads$
DuckDuckGo: duckduckgo.com com.duckduckgo.mobile.android ddg
Yahoo!: search.yahoo.com yahoo.com search.yahoo.co.jp yahoo.co.jp yahoo
Naver: naver.com search.naver.com com.nhn.android.search naverads$ naver-ads$
Daum: daum.net
Nate: nate.com
Zum: zum.com
Baidu: baidu.com
Sogou: sogou.com
360 Search: so.com
Shenma: sm.cn
Yandex: yandex.com yandex.ru ya.ru dzen.ru
Mail.ru Search: go.mail.ru
Rambler: rambler.ru
Seznam: seznam.cz
Ecosia: ecosia.org
Brave: search.brave.com
Qwant: qwant.com
Startpage: startpage.com
Kagi: kagi.com
Mojeek: mojeek.com
Swisscows: swisscows.com
MetaGer: metager.org metager.de
Searx: searx.be searx.space
Presearch: presearch.com presearch.org
You.com: you.com
AOL: aol.com search.aol.com
Ask: ask.com
Dogpile: dogpile.com
Lycos: lycos.com
Excite: excite.com
Goo: search.goo.ne.jp
Coc Coc: coccoc.com
Virgilio: virgilio.it
Lilo: lilo.org
Lens: lens.google.com
MSN: msn.com`,
  social: `
Facebook: facebook.com fb.com fb.me m.me messenger.com fb.watch com.facebook.katana com.facebook.orca fb fcb fb-ads$ fbads$ fbad$ facebook-ads$ facebook_ads$ facebook_ad$ meta-ads$
Instagram: instagram.com ig.me com.instagram.android ig insta instagram-ads$ ig-ads$
Threads: threads.net threads.com com.instagram.barcelona
WhatsApp: whatsapp.com wa.me com.whatsapp com.whatsapp.w4b
X (Twitter): twitter.com x.com t.co com.twitter.android twitter x twitter-ads$ twitterads$
LinkedIn: linkedin.com lnkd.in com.linkedin.android linkedin-ads$ linkedin_ads$
Reddit: reddit.com redd.it com.reddit.frontpage reddit-ads$ redditads$
Pinterest: pinterest.com pin.it com.pinterest pinterest-ads$
Snapchat: snapchat.com com.snapchat.android snap snapchat-ads$
Telegram: t.me telegram.org telegram.me org.telegram.messenger org.telegram.messenger.web
Discord: discord.com discordapp.com discord.gg com.discord
Slack: slack.com com.slack
Microsoft Teams: teams.microsoft.com teams.cloud.microsoft statics.teams.cdn.office.net teams.live.com com.microsoft.teams teams
Hacker News: news.ycombinator.com hn hackernews hn.algolia.com
Lobsters: lobste.rs
Lemmy: lemmy.world lemmy.ml
Mastodon: mastodon.social mastodon.online mstdn.social mastodon.world mstdn.jp fosstodon.org hachyderm.io infosec.exchange org.joinmastodon.android
Bluesky: bsky.app go.bsky.app xyz.blueskyweb.app bsky
Tumblr: tumblr.com
Quora: quora.com
Stack Overflow: stackoverflow.com
Stack Exchange: stackexchange.com superuser.com serverfault.com askubuntu.com
GitHub: github.com
GitLab: gitlab.com
Product Hunt: producthunt.com ph
Indie Hackers: indiehackers.com
DEV: dev.to
Medium: medium.com
Substack: substack.com
Hashnode: hashnode.com
Blogger: blogger.com blogspot.com
WordPress: wordpress.com
Flipboard: flipboard.com
Pocket: getpocket.com
VK: vk.com vk.ru vkontakte
Odnoklassniki: ok.ru
Weibo: weibo.com weibo.cn t.cn
WeChat: weixin.qq.com mp.weixin.qq.com com.tencent.mm weixin
Xiaohongshu: xiaohongshu.com xhslink.com
Zhihu: zhihu.com
Douban: douban.com
LINE: line.me lin.ee jp.naver.line.android
KakaoTalk: kakao.com pf.kakao.com com.kakao.talk kakao
KakaoStory: story.kakao.com
Brunch: brunch.co.kr
Naver Blog: blog.naver.com m.blog.naver.com
Naver Cafe: cafe.naver.com m.cafe.naver.com
Naver Band: band.us
Velog: velog.io
Tistory: tistory.com
Daum Cafe: cafe.daum.net
DCInside: dcinside.com
Clien: clien.net
FM Korea: fmkorea.com
GeekNews: news.hada.io
Hatena: hatena.ne.jp hatenablog.com
Qiita: qiita.com
Zenn: zenn.dev
note: note.com
Ameba: ameblo.jp ameba.jp
5ch: 5ch.net
Zalo: zalo.me
Xing: xing.com
Meetup: meetup.com
Nextdoor: nextdoor.com
Goodreads: goodreads.com
DeviantArt: deviantart.com
Behance: behance.net
Dribbble: dribbble.com
Flickr: flickr.com
Yelp: yelp.com
TripAdvisor: tripadvisor.com
Steam: steamcommunity.com
Patreon: patreon.com
Linktree: linktr.ee
Disqus: disqus.com`,
  video: `
YouTube: youtube.com youtu.be m.youtube.com com.google.android.youtube yt yt-ads$ youtube-ads$ youtubeads$
TikTok: tiktok.com vm.tiktok.com com.zhiliaoapp.musically com.ss.android.ugc.trill tik.tok tiktok-ads$ tiktokads$ tiktok_ads$
Vimeo: vimeo.com
Twitch: twitch.tv tv.twitch.android.app
Dailymotion: dailymotion.com
Netflix: netflix.com
Hulu: hulu.com
Disney+: disneyplus.com
Bilibili: bilibili.com b23.tv
Douyin: douyin.com
Kuaishou: kuaishou.com
iQIYI: iqiyi.com iq.com
Youku: youku.com
Niconico: nicovideo.jp
Naver TV: tv.naver.com
CHZZK: chzzk.naver.com
SOOP: sooplive.co.kr
Rumble: rumble.com
Odysee: odysee.com
Wistia: wistia.com wistia.net
TED: ted.com`,
  shopping: `
Amazon: amazon.com amzn.to com.amazon.mShop.android.shopping
eBay: ebay.com
Etsy: etsy.com
Google Shopping: shopping.google.com
AliExpress: aliexpress.com
Alibaba: alibaba.com
Taobao: taobao.com
Tmall: tmall.com
JD: jd.com
Pinduoduo: pinduoduo.com
Temu: temu.com
SHEIN: shein.com
Shopify: shopify.com
Shop App: shop.app
Walmart: walmart.com
Target: target.com
Best Buy: bestbuy.com
Rakuten: rakuten.co.jp rakuten.com
Mercari: mercari.com
Mercado Libre: mercadolibre.com mercadolivre.com.br
Flipkart: flipkart.com
Shopee: shopee.com
Lazada: lazada.com
Zalando: zalando.com zalando.de
Allegro: allegro.pl
Otto: otto.de
Coupang: coupang.com
Gmarket: gmarket.co.kr
11st: 11st.co.kr
Naver Shopping: shopping.naver.com smartstore.naver.com brand.naver.com
Danawa: danawa.com
Idealo: idealo.de idealo.com`,
  email: `
Gmail: mail.google.com com.google.android.gm
Outlook: outlook.live.com outlook.office.com outlook.office365.com outlook.cloud.microsoft outlook.com com.microsoft.office.outlook
Yahoo! Mail: mail.yahoo.com mail.yahoo.co.jp com.yahoo.mobile.client.android.mail
Proton Mail: mail.proton.me
Naver Mail: mail.naver.com
Daum Mail: mail.daum.net
iCloud Mail: mail.icloud.com
Mail.ru: e.mail.ru
Yandex Mail: mail.yandex.ru mail.yandex.com
Zoho Mail: mail.zoho.com
GMX: gmx.net gmx.com
WEB.DE: web.de
AOL Mail: mail.aol.com
QQ Mail: mail.qq.com
NetEase Mail: mail.163.com mail.126.com
Fastmail: fastmail.com
Mailchimp: mailchi.mp mailchimp`,
  ai: `
ChatGPT: chatgpt.com chat.openai.com openai.com com.openai.chatgpt openai
Claude: claude.ai claude.com com.anthropic.claude
Perplexity: perplexity.ai ai.perplexity.app.android
Gemini: gemini.google.com bard.google.com com.google.android.apps.bard
Copilot: copilot.microsoft.com copilot.cloud.microsoft copilot.com m365.cloud.microsoft com.microsoft.copilot
Grok: grok.com x.ai
DeepSeek: deepseek.com chat.deepseek.com com.deepseek.chat
Duck.ai: duck.ai
Meta AI: meta.ai
Mistral: chat.mistral.ai mistral.ai
Phind: phind.com
Poe: poe.com
NotebookLM: notebooklm.google.com
Kimi: kimi.com kimi.moonshot.cn
Qwen: chat.qwen.ai qwen.ai
Doubao: doubao.com
Genspark: genspark.ai
Wrtn: wrtn.ai`,
  other: `
Wikipedia: wikipedia.org
Google Play: play.google.com
Google News: news.google.com com.google.android.apps.magazines
Google Accounts: accounts.google.com
Google Docs: docs.google.com
Google Drive: drive.google.com
Google Sites: sites.google.com
Google Groups: groups.google.com
Google Meet: meet.google.com
Google Chat: chat.google.com
Google Calendar: calendar.google.com
Google Colab: colab.research.google.com
Naver Login: nid.naver.com
Google Translate: translate.google.com
Google Classroom: classroom.google.com
App Store: apps.apple.com
Notion: notion.so notion.site
Feedly: feedly.com
Inoreader: inoreader.com
Trello: trello.com
Figma: figma.com
Canva: canva.com
Stripe: checkout.stripe.com
PayPal: paypal.com
npm: npmjs.com
Docker Hub: hub.docker.com
arXiv: arxiv.org
Archive.org: archive.org`,
};

/** Services with a domain in most countries: the name before `.co.uk`, `.de`, `.com.au`... decides. */
const COUNTRY_DOMAINS =
  /(?:^|\.)(google|yahoo|yandex|amazon|ebay|pinterest|shopee|lazada|aliexpress|tripadvisor|blogspot)\.(?:com?\.)?[a-z]{2,3}$/;

const byHost = new Map<string, Source>();
const byTag = new Map<string, Source>();
const adTags = new Set<string>();

for (const [kind, lines] of Object.entries(TABLE) as [SourceKind, string][]) {
  for (const line of lines.trim().split("\n")) {
    const colon = line.indexOf(": ");
    const source: Source = { name: line.slice(0, colon), kind };
    byTag.set(source.name.toLowerCase(), source);
    for (const word of line.slice(colon + 2).split(" ")) {
      const tag = word.replace("$", "").toLowerCase();
      byTag.set(tag, source);
      if (word.endsWith("$")) adTags.add(tag);
      if (tag.includes(".")) byHost.set(tag, source);
    }
  }
}

/** The service that owns `host` or a domain above it; undefined when none is known. `host` is in lower case. */
export function sourceOfHost(host: string): Source | undefined {
  // Longer than any name in the DNS: a tag that only looks like a host.
  if (host.length > 253) return undefined;
  for (let rest = host; ; ) {
    const source = byHost.get(rest);
    if (source !== undefined) return source;
    const dot = rest.indexOf(".");
    if (dot === -1) break;
    rest = rest.slice(dot + 1);
  }
  const brand = COUNTRY_DOMAINS.exec(host)?.[1];
  return brand === undefined ? undefined : byHost.get(`${brand}.com`);
}

/** The service that a campaign tag names, whatever its case: by name, short form or host. */
export function sourceOfTag(tag: string): Source | undefined {
  const word = tag.toLowerCase();
  return byTag.get(word) ?? (word.includes(".") ? sourceOfHost(word) : undefined);
}

/** True for tags that say "advertisement" themselves, such as `google-ads`. */
export const isAdTag = (tag: string): boolean => adTags.has(tag.toLowerCase());
