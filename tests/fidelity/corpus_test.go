package fidelity_test

import "strings"

// corpus are JSON values that a proxy which decodes and encodes what it carries
// would change, or refuse.
var corpus = []struct{ name, value string }{
	{"numbers that no float holds", `{"a":12345678901234567890,"b":0.1000000000000000055511151231257827,"c":1.0,"d":1e400,"e":-0,"f":1E+2}`},
	{"members in an order of their own", `{"z":1,"a":2,"Z":3,"_":4,"0":5}`},
	{"the same member twice", `{"a":1,"a":2}`},
	{"white space between tokens", "{ \"a\" : [ 1 ,\t2 ] , \"b\" : { } }"},
	{"escapes that could be spelled otherwise", `{"a":"\u0041\/\u003c\u003e\u0026\u00e9é\ud83d\ude00😀\u2028` + "\u2028\u2029" + `"}`},
	{"signs that some encoders escape", `{"a":"<b>&'\"</b>"}`},
	{"half a surrogate pair", `{"a":"\ud800","b":"\udc00x"}`},
	{"control characters", `{"a":"\u0000\u001f\b\f\n\r\t` + "\u007f" + `"}`},
	{"nulls and empty values", `{"a":null,"b":{},"c":[],"":"","d":false}`},
	{"a content type nobody knows", `{"content":[{"type":"hologram","voxels":[[0.50]],"next":{"type":"text","text":1}}]}`},
	{"names with a meaning elsewhere", `{"jsonrpc":"1.0","id":7,"method":"x","params":[],"error":null,"result":0,"raw":"{}","inner":{"_meta":{"progressToken":1},"progressToken":"p"}}`},
	{"deep nesting", `{"a":` + strings.Repeat(`[{"b":`, 200) + `1.50` + strings.Repeat(`}]`, 200) + `}`},
	{"many small members", `{"a":[` + strings.Repeat(`{"k":1.0,"":null},`, 500) + `0]}`},
	{"a text of 100 KiB", `{"a":"` + strings.Repeat(`line \u003c é\n`, 100<<10/14) + `","z":1.0}`},
}
