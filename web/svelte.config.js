/** Styles go into the built style sheet: the page allows none inline. */
export default { compilerOptions: { css: 'external', runes: true } };
