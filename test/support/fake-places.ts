import type { PlaceEntry } from "../../devices/index.js";

/** A city with two districts, and a site that nothing stands at. */
export const fakePlaces = (): PlaceEntry[] => [
  { id: "krakow", kind: "city", name: "Kraków" },
  { id: "krakow/podgorze", kind: "district", name: "Podgórze", at: [50.04, 19.95] },
  { id: "krakow/nowa-huta", kind: "district", name: "Nowa Huta" },
  { id: "krakow/wawel", kind: "site", name: "Wawel" },
];
