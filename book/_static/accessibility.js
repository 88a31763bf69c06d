/* Repairs for screen readers that the theme leaves open; each names its rule in axe-core. */
document.addEventListener("DOMContentLoaded", () => {
  // label-content-name-mismatch: a button is named by the text that it shows, and by nothing else.
  for (const button of document.querySelectorAll(".search-button-field, details.hide > summary")) {
    button.removeAttribute("aria-label");
  }
  // Font Awesome turns an icon's title attribute into an element, before this or after it.
  for (const icon of document.querySelectorAll(".theme-switch-button .theme-switch")) {
    icon.removeAttribute("title");
    icon.querySelector("title")?.remove();
    icon.removeAttribute("aria-labelledby");
    icon.setAttribute("aria-hidden", "true");
  }
  // region: the book's title lies in a landmark too.
  const sidebar = document.querySelector(".bd-sidebar-primary");
  if (sidebar) {
    sidebar.setAttribute("role", "region");
    sidebar.setAttribute("aria-label", "Book");
  }
  // scrollable-region-focusable: what scrolls can be scrolled by keys, also what was folded before.
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll("pre, table, .pst-scrollable-table-container").forEach((node) => {
    sizes.observe(node);
  });
});
