/** One file for IPv4 and IPv6, 8 MB, public domain (CC0): whois and routing data of all registries. */
export const COUNTRY_TABLE = "@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb";
