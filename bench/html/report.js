// The regime switch: rows and columns of the other regime are hidden. Without this script all of them are shown.
const field = document.getElementById("switch");
field.hidden = false;
field.addEventListener("change", (event) => {
  document.documentElement.dataset.show = event.target.value;
});
// A link into a folded part opens it.
const unfold = () => {
  const place = location.hash && document.getElementById(location.hash.slice(1));
  for (let each = place; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
  if (place) place.scrollIntoView();
};
addEventListener("hashchange", unfold);
unfold();
