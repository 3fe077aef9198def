export { type Announcer, type AnnouncerParts, type AnnounceOptions, openAnnouncer } from "./announcer.js";
