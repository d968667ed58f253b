// The demo shop's own behaviour, and how a shop talks to Rivulet: one call for each thing worth counting.

// Calls made before the collector has loaded wait in a queue.
window.rivulet ??= (...call) => {
  window.rivulet.q ??= [];
  window.rivulet.q.push(call);
};

const GOODS = {
  mug: { name: "Enamel mug", price: 18 },
  lantern: { name: "Night lantern", price: 42 },
  blanket: { name: "Wool blanket", price: 96 },
  notebook: { name: "Field notebook", price: 12.5 },
};
const CURRENCY = "USD";
const CART = "demo-cart";

const money = new Intl.NumberFormat("en", { style: "currency", currency: CURRENCY });
const readCart = () => JSON.parse(sessionStorage.getItem(CART) || "[]");
const writeCart = (items) => {
  sessionStorage.setItem(CART, JSON.stringify(items));
  showCart();
};
const total = () => readCart().reduce((sum, id) => sum + GOODS[id].price, 0);

function showCart() {
  const items = readCart();
  for (const link of document.querySelectorAll("[data-cart]")) {
    link.textContent = items.length ? `Cart (${items.length})` : "Cart";
  }
  const list = document.querySelector("[data-lines]");
  if (!list) return;
  document.querySelector("[data-empty]").hidden = items.length > 0;
  document.querySelector("[data-full]").hidden = items.length === 0;
  document.querySelector("[data-total]").textContent = money.format(total());
  list.replaceChildren(
    ...items.map((id, index) => {
      const line = document.createElement("li");
      const name = document.createElement("span");
      name.textContent = GOODS[id].name;
      const price = document.createElement("span");
      price.className = "price";
      price.textContent = money.format(GOODS[id].price);
      const remove = document.createElement("button");
      remove.type = "button";
      remove.className = "quiet";
      remove.textContent = "Remove";
      remove.setAttribute("aria-label", `Remove ${GOODS[id].name}`);
      remove.addEventListener("click", () => writeCart(readCart().filter((_, at) => at !== index)));
      line.append(name, price, remove);
      return line;
    }),
  );
}

document.addEventListener("click", (event) => {
  const add = event.target.closest("[data-add]");
  if (add) {
    const product = add.dataset.add;
    writeCart([...readCart(), product]);
    window.rivulet("add_to_cart", { props: { product, price: GOODS[product].price } });
    document.querySelector("[data-said]").textContent = "In your cart.";
  }
  if (event.target.closest("[data-pay]")) {
    const items = readCart();
    window.rivulet("purchase", {
      props: { items: items.length },
      revenue: { amount: total(), currency: CURRENCY },
    });
    writeCart([]);
    location.href = "thanks.html";
  }
});

document.querySelector("[data-signup]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  // The address itself is nobody's business: only the chosen plan is counted.
  window.rivulet("signup", { props: { plan: String(form.get("plan")) } });
  location.href = "welcome.html";
});

// The journal is a small single-page application: its stories are real pages, but they change without a load.
async function showStory(url) {
  const page = new DOMParser().parseFromString(await (await fetch(url)).text(), "text/html");
  document.title = page.title;
  document.querySelector("main").replaceWith(page.querySelector("main"));
  scrollTo(0, 0);
}
if (document.querySelector("[data-stories]")) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-stories] a");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    if (link.href === location.href) return;
    history.pushState(null, "", link.href);
    showStory(link.href).catch(() => location.reload());
  });
  addEventListener("popstate", () => showStory(location.href).catch(() => location.reload()));
}

showCart();
