// Classic script in old syntax: names what an old browser lacks, where the page itself would only
// stay empty.
(function () {
  var simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0,
    253, 15, 253, 98, 11];
  var fits = "noModule" in HTMLScriptElement.prototype && "findLastIndex" in Array.prototype &&
    "createImageBitmap" in window && "DecompressionStream" in window && "WebAssembly" in window &&
    WebAssembly.validate(new Uint8Array(simd));
  // Browsers load no modules from the file system: this folder wants a server, one file does not.
  var unserved = location.protocol === "file:" && document.currentScript && document.currentScript.src;
  document.documentElement.className = !fits ? "old" : unserved ? "unserved" : "fits";
})();
