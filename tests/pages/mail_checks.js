() => {
  const luminance = ([r, g, b]) => {
    const [R, G, B] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
      if (colour[3] > 0) throw new Error('a half-transparent background');
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const said = node.textContent.trim();
    const parent = node.parentElement;
    if (!said || getComputedStyle(parent).display === 'none') continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    const style = getComputedStyle(parent);
    const ratio = contrast(parts(style.color), behind(parent));
    if (ratio < 4.5) found.push(`contrast ${ratio.toFixed(2)}: ${said}`);
    if (parseFloat(style.fontSize) < 13) found.push(`small print ${style.fontSize}: ${said}`);
    if (box.right > innerWidth + 0.5 || box.left < -0.5) found.push(`cut off at ${box.right}: ${said}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push(`scrolls sideways: ${document.documentElement.scrollWidth}`);
  for (const image of document.images) {
    if (!image.hasAttribute('alt')) found.push(`no alt: ${image.src}`);
    if (image.className === 'logo' && (!image.alt || image.clientWidth > 220)) found.push(`logo ${image.clientWidth} wide, alt "${image.alt}"`);
  }
  for (const table of document.querySelectorAll('table')) {
    if (table.getAttribute('role') !== 'presentation') found.push('a table for looks is read aloud as one');
  }
  if (document.querySelectorAll('h1').length !== 1) found.push('not one heading');
  if (!document.title.trim()) found.push('no title');
  for (const link of document.links) {
    if (!link.textContent.trim()) found.push(`nothing to read in ${link.href}`);
    if (link.className === 'button' && link.getBoundingClientRect().height < 44) found.push('a button too low for a thumb');
  }
  return { found, language: document.documentElement.lang, links: [...document.links].map((link) => link.getAttribute('href')) };
}
