// A Zstandard dictionary that libzstd 1.5.4 has trained on the first 40 000 bytes of dictionaryText(), in samples of 160.

import { randomFrom, text } from "./random.ts";

/** Text whose words the dictionary knows; always the same. */
export const dictionaryText = () => text(48_000, randomFrom(5));

const BASE64 =
  "N6Qw7EFDTi0jENBKkmP//////8+QSGNlSRFShJRipND/f9Sv8P///////x8DAAAwcLBQARKqHwAABIDDB5MbKqmvGhoAAAAAAAAAAAAAAAAAAJ" +
  "gBAAAAAACUDaGkg4O5QCCSRUkOxFhQOqlqAAAAAAEAAAAEAAAACAAAAGhqIHJqc2prZSBwanNtdWdsbSBhdWttdWtmb2NobyBqZ3JtcXQgYnEg" +
  "a2hxcm52cSB3biBmY29sanZzcGggbGtiZnEgb3Vnd29yYWtyIHNub3dmb3Igd3d5a3MgZWxobWlwZ2cgeWVucnlkcCBieGptIGVjcHZiaW5wZS" +
  "BjciB1ZnhrcW4ga3hyc2p4Y3cgbmRyIHdvanRzeCBubXp3cWogbGcgYmRueG1ibHRxIGJubHhoIGpjeWZnIHphcmF1dHl1biBqbnR5Z215bSBi" +
  "eGptIGF1a211am8gY2Fsanl2Y2QgdnN3amNkIG9zeHl3YW14byBscHUgaXZ6Y3JvIHN5IGpraXJzdm4gc3BsbWN3ZiBhIGl2emNybyBrbXBiam" +
  "pvdiB4ZGpma3R2IHlzcGh2bCBmYmp5Y21oIGlwcnZxZGEgZm50eWUgYW9kbWhteWEgempzaGZpb3F4IHlrd2R2ZWJpZiB3biBja3l5bGIgYWN2" +
  "dGsgb2NyIGh0eHB0YnYgdHFlIGJxIGJrbGF1dGlkciBrcHVnZmN5Y3YgeWx5YnJ5c2RvIHNvIG5paGFybmcgdHFlIHpydGpmbmxzdSBqbiBman" +
  "dwbnUgaG91a3Ega3Vqb3pieW9kIG9vaWRkaSBkb2pkdWpvem0gc2RuY3hwZ3ogdmtlc3h0IGRzY290dWUgdXV2b3BqIGtwcGggcmZ2cXRqZXQg" +
  "am4gdmJodm55IG9zeXF3d28ga3dseGMgdG4ga3B1Z2ZjeWN2IGRjeHdlZHllZiBsZWxqdGx4dCBidiBsa2JmcSBhdSB1bXogaHRkanFhIG14am" +
  "1meXVxICBqaHBscXogem9sbnVzd3AgaGhhIHdkenRkbXRyayBwdCBrYmYgemhxIGRxbmhrbnZ6IG5vbnFhdHp1YyBjeGtmb2NobyBkc2JydHF1" +
  "eSBvbmJsanVwY2cgYXVrbXVqbyBjeSBvY2hvIHZpeHhjbXYgb25ibGp1cGNnIG14eW14dSBzbHRscnZmY2ggemdua2tyaHAgeSB5a3dkdmViaW" +
  "YgZ21yIGVsaG1pcGdnIHV1b2h0cXMgYWxzcyB0cWUgcXRrc2liYm0gZW10YSBsZ3Zqb2ttb3YgYXl3cSB1eCB4ZGpma3R2IGFqcW9vaWRkaSBv" +
  "dWd3b3JjcyBnIGZjb2xqdnNwaCBjYWxqeXZndyB5cHR0bg==";

export const sampleDictionary = () => new Uint8Array(Buffer.from(BASE64, "base64"));
