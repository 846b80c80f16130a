// The address of the page follows what is chosen; without what is as it is by default.
window.igboQuery = (values) => {
  const query = new URLSearchParams();
  Object.entries(window.igboDefaults).forEach(([name, usual], place) => {
    let value = values[place];
    if (value === null || value === undefined) value = Array.isArray(usual) ? [] : '';
    if (typeof usual === 'boolean') value = value ? '1' : '0';
    const text = Array.isArray(value) ? value.join(',') : String(value);
    const standard = typeof usual === 'boolean' ? (usual ? '1' : '0') : String(usual);
    if (text !== standard && !window.igboNotTold(name, values)) query.set(name, text);
  });
  const theme = new URLSearchParams(location.search).get('__theme');
  if (theme) query.set('__theme', theme);
  return query.toString();
};
// Systems belong to an address only where they are looked at.
window.igboNotTold = (name, values) => {
  const tab = values[0];
  if (name === 'system') return tab !== 'system';
  if (name === 'first' || name === 'second') return tab !== 'compare';
  return name === 'metric' && tab !== 'real';
};
window.igboAddress = (values) => {
  // Until the link has been read, the address is the only place that knows what it asked for.
  if (document.documentElement.dataset.ready !== 'yes') return values;
  const query = window.igboQuery(values);
  history.replaceState(history.state, '', query ? `?${query}` : location.pathname);
  // Inside the frame of the Hub the address that people see is that of the page around it.
  if (window.parent !== window) window.parent.postMessage({queryString: query}, 'https://huggingface.co');
  return values;
};
window.igboReload = (values) => {
  window.igboAddress(values);
  location.reload();
};
window.igboDownload = (name, kind, text) => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], {type: kind}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
window.igboReady = () => {
  document.documentElement.dataset.ready = 'yes';
};
// While a link is being followed the browser reports the first tab as chosen; nobody chose it.
window.igboTab = (name, values) => {
  if (document.documentElement.dataset.ready !== 'yes') values[0] = name;
  return values;
};
