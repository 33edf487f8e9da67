package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHeaderThatIsRight(t *testing.T) {
	for _, c := range []struct {
		name, text string
		data       int
		metadata   map[string]string
		tensors    []Info
	}{
		{name: "nothing", text: `{}`},
		{name: "padding", text: "{ }  \t\r\n "},
		{name: "metadata alone", text: `{"__metadata__":{"a":"b","":""}}`, metadata: map[string]string{"a": "b", "": ""}},
		{name: "empty metadata", text: `{"__metadata__":{}}`, metadata: map[string]string{}},
		{name: "scalar", text: `{"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, data: 4,
			tensors: []Info{{"s", F32, ShapeOf(), 0, 4}}},
		{name: "any order of fields", text: `{ "s" : { "data_offsets" : [ 0 , 4 ] , "shape" : [ 1 , 2 ] , "dtype" : "F16" } }`, data: 4,
			tensors: []Info{{"s", F16, ShapeOf(1, 2), 0, 4}}},
		{name: "any order of data, the header's kept", text: `{
			"b":{"dtype":"U8","shape":[3],"data_offsets":[2,5]},
			"e":{"dtype":"I64","shape":[4,0],"data_offsets":[2,2]},
			"__metadata__":{"k":"v"},
			"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}`, data: 5,
			metadata: map[string]string{"k": "v"},
			tensors:  []Info{{"b", U8, ShapeOf(3), 2, 3}, {"e", I64, ShapeOf(4, 0), 2, 0}, {"a", I8, ShapeOf(2), 0, 2}}},
		{name: "sub-byte", text: `{"x":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]},"y":{"dtype":"F6_E3M2","shape":[4],"data_offsets":[3,6]}}`, data: 6,
			tensors: []Info{{"x", F4, ShapeOf(3, 2), 0, 3}, {"y", F6_E3M2, ShapeOf(4), 3, 3}}},
		{name: "escapes", text: `{"__metadata__":{"\"\\\/\b\f\n\r\t":"\u0041\u00e9\u20AC\uD83d\uDe00é😀\ufffd"}}`,
			metadata: map[string]string{"\"\\/\b\f\n\r\t": "Aé€😀é😀\ufffd"}},
		{name: "space before the header", text: " \t\r\n{}"},
		{name: "no metadata", text: `{"__metadata__": null }`},
		{name: "unknown fields", text: `{"s":{"dtype":"U8","x":{"":[{},[],"é\n",-1.5e+7,true]},"shape":[1],"x":null,"data_offsets":[0,1],"Dtype":false}}`, data: 1,
			tensors: []Info{{"s", U8, ShapeOf(1), 0, 1}}},
		{name: "unknown field as deep as may be", text: `{"s":{"dtype":"U8","x":` + strings.Repeat("[", 127) + strings.Repeat("]", 127) + `,"shape":[1],"data_offsets":[0,1]}}`, data: 1,
			tensors: []Info{{"s", U8, ShapeOf(1), 0, 1}}},
		{name: "a 0 beside huge lengths", text: fmt.Sprintf(`{"s":{"dtype":"F32","shape":[%d,0,2147483647],"data_offsets":[0,0]}}`, math.MaxInt),
			tensors: []Info{{"s", F32, ShapeOf(math.MaxInt, 0, math.MaxInt32), 0, 0}}},
		{name: "white space in a shape", text: "{\"s\":{\"dtype\":\"U8\",\"shape\": [ 1,\n\t2 , 3\r],\"data_offsets\":[0,6]}}", data: 6,
			tensors: []Info{{"s", U8, ShapeOf(1, 2, 3), 0, 6}}},
		{name: "empty name", text: `{"":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}`, data: 1,
			tensors: []Info{{"", BOOL, ShapeOf(1), 0, 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := openBytes(image(c.text, make([]byte, c.data)))
			require.NoError(t, err)
			assert.Equal(t, c.metadata, f.Metadata())
			assert.Equal(t, append([]Info{}, c.tensors...), f.Tensors())
			for _, want := range c.tensors {
				got, ok := f.Lookup(want.Name)
				assert.True(t, ok)
				assert.Equal(t, want, got)
			}
			_, ok := f.Lookup("no such name")
			assert.False(t, ok)
		})
	}
}

// Each damaged file gives its own one line.
func TestDamagedFile(t *testing.T) {
	length := func(n uint64, rest string) []byte { return append(binary.LittleEndian.AppendUint64(nil, n), rest...) }
	// tensor is a file with one tensor w, of which the fields are given, and 4 bytes of data.
	tensor := func(fields string) []byte { return image(`{"w":{`+fields+`}}`, make([]byte, 4)) }
	// two is a file with tensors a and b of U8 at the given offsets.
	two := func(a0, a1, b0, b1, data int) []byte {
		return image(fmt.Sprintf(`{"a":{"dtype":"U8","shape":[%d],"data_offsets":[%d,%d]},"b":{"dtype":"U8","shape":[%d],"data_offsets":[%d,%d]}}`,
			a1-a0, a0, a1, b1-b0, b0, b1), make([]byte, data))
	}
	good := image(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, make([]byte, 4))
	_, err := openBytes(good)
	require.NoError(t, err)
	const dtype, shape, offsets = `"dtype":"F32"`, `"shape":[1]`, `"data_offsets":[0,4]`

	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, `in: file is empty`},
		{"cut in the length", good[:7], `in: file of 7 bytes is too short for a header`},
		{"cut behind the length", good[:8], `in: header of 54 bytes is cut: the file has 8 bytes`},
		{"cut in the header", good[:30], `in: header of 54 bytes is cut: the file has 30 bytes`},
		{"cut before the data", good[:62], `in: tensor "w": data_offsets [0, 4] reach past the data's 0 bytes`},
		{"cut in the data", good[:65], `in: tensor "w": data_offsets [0, 4] reach past the data's 3 bytes`},
		{"trailing data", append(good[:66:66], 0), `in: the tensors have 4 bytes of data, the file 5`},
		{"data without tensors", image(`{}`, []byte{0}), `in: the tensors have 0 bytes of data, the file 1`},
		{"header length 0", length(0, `{}`), `in: header, byte 0: want an object, have the header's end`},
		{"header length short of the header", length(53, string(good[8:])), `in: header, byte 53: want ',' or '}', have the header's end`},
		{"header length over the limit", length(100_000_001, `{}`), `in: is not a safetensors file: header length 100000001 is over the limit of 100000000`},
		{"header length at the limit", length(100_000_000, `{}`), `in: header of 100000000 bytes is cut: the file has 10 bytes`},
		{"header length 2^63", length(1<<63, `{}`), `in: is not a safetensors file: header length 9223372036854775808 is over the limit of 100000000`},
		{"header length all ones", length(1<<64-1, `{}`), `in: is not a safetensors file: header length 18446744073709551615 is over the limit of 100000000`},

		{"array", image(`[]`, nil), `in: header, byte 0: want an object, have '['`},
		{"invalid UTF-8", image("{\"\xff\":{}}", nil), `in: header is not valid UTF-8`},
		{"UTF-8 of a surrogate", image("{\"\xed\xa0\x80\":{}}", nil), `in: header is not valid UTF-8`},
		{"text behind the object", image(`{}x`, nil), `in: header, byte 2: want the end of the header, have 'x'`},
		{"a second object", image(`{} {}`, nil), `in: header, byte 3: want the end of the header, have '{'`},
		{"zero bytes behind the object", image("{}\x00", nil), `in: header, byte 2: want the end of the header, have '\x00'`},
		{"unfinished", image(`{`, nil), `in: header, byte 1: want a string, have the header's end`},
		{"unfinished name", image(`{"w`, nil), `in: header, byte 3: want '"' at the end of a string, have the header's end`},
		{"no colon", image(`{"w" 1}`, nil), `in: header, byte 5: want ':', have '1'`},
		{"comma at the end", image(`{"__metadata__":{},}`, nil), `in: header, byte 19: want a string, have '}'`},
		{"no comma", image(`{"__metadata__":{}"w":{}}`, nil), `in: header, byte 18: want ',' or '}', have '"'`},
		{"name without quotes", image(`{w:{}}`, nil), `in: header, byte 1: want a string, have 'w'`},
		{"deep objects", image(strings.Repeat(`{"w":`, 1e6), nil), `in: tensor "w": "w": header, byte 645: nested too deeply`},
		{"deep arrays", image(`{"w":`+strings.Repeat(`[`, 1e6), nil), `in: tensor "w": header, byte 5: want an object, have '['`},
		{"deep shape", image(`{"w":{"shape":`+strings.Repeat(`[`, 1e6), nil), `in: tensor "w": shape: header, byte 15: want a number, have '['`},
		{"raw control character", image("{\"a\nb\":{}}", nil), `in: header, byte 3: control character 0x0a in a string`},
		{"unknown escape", image(`{"\x41":{}}`, nil), `in: header, byte 2: unknown escape in a string`},
		{"escape without digits", image(`{"\u00g1":{}}`, nil), `in: header, byte 2: unknown escape in a string`},
		{"escape with a sign", image(`{"\u+041":{}}`, nil), `in: header, byte 2: unknown escape in a string`},
		{"unfinished escape", image(`{"\`, nil), `in: header, byte 2: unfinished escape in a string`},
		{"high surrogate alone", image(`{"\ud83dx":{}}`, nil), `in: header, byte 2: half of a surrogate pair in a string`},
		{"low surrogate alone", image(`{"\ude00":{}}`, nil), `in: header, byte 2: half of a surrogate pair in a string`},

		{"metadata that is no object", image(`{"__metadata__":nul}`, nil), `in: __metadata__: header, byte 16: want an object, have 'n'`},
		{"metadata that is no string", image(`{"__metadata__":{"a":1}}`, nil), `in: __metadata__: header, byte 21: want a string, have '1'`},
		{"metadata twice", image(`{"__metadata__":{},"__metadata__":{}}`, nil), `in: __metadata__ given twice in the header`},
		{"null metadata twice", image(`{"__metadata__":null,"__metadata__":{}}`, nil), `in: __metadata__ given twice in the header`},
		{"metadata key twice", image(`{"__metadata__":{"a":"1","\u0061":"2"}}`, nil), `in: __metadata__: key "a" given twice`},

		{"tensor that is no object", image(`{"w":7}`, nil), `in: tensor "w": header, byte 5: want an object, have '7'`},
		{"tensor twice", image(`{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0077":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, nil),
			`in: tensor "w": named twice`},
		{"name that would break the line", image(`{"a\nb":7}`, nil), `in: tensor "a\nb": header, byte 8: want an object, have '7'`},
		{"absurdly long name", image(`{"`+strings.Repeat("é", 1e5)+`":7}`, nil),
			`in: tensor "` + strings.Repeat("é", 100) + `...": header, byte 200004: want an object, have '7'`},
		{"no dtype", tensor(shape + "," + offsets), `in: tensor "w": field "dtype" is missing`},
		{"no shape", tensor(dtype + "," + offsets), `in: tensor "w": field "shape" is missing`},
		{"no offsets", tensor(dtype + "," + shape), `in: tensor "w": field "data_offsets" is missing`},
		{"no fields", tensor(""), `in: tensor "w": field "dtype" is missing`},
		{"field twice", tensor(shape + "," + shape), `in: tensor "w": field "shape" given twice`},
		{"unknown field too deep", tensor(`"x":` + strings.Repeat("[", 128)), `in: tensor "w": "x": header, byte 137: nested too deeply`},
		{"unknown field without a value", tensor(`"x":}`), `in: tensor "w": "x": header, byte 10: want a value, have '}'`},
		{"unknown field that is a word", tensor(`"x":nan`), `in: tensor "w": "x": header, byte 10: want a value, have 'n'`},
		{"unknown field with a wrong number", tensor(`"x":-01`), `in: tensor "w": "x": header, byte 10: number that is none`},
		{"field in capitals", tensor(`"Dtype":"F32"`), `in: tensor "w": field "dtype" is missing`},
		{"unknown dtype", tensor(`"dtype":"F7",` + shape + "," + offsets), `in: tensor "w": dtype: unknown dtype "F7"`},
		{"dtype that is no string", tensor(`"dtype":32`), `in: tensor "w": dtype: header, byte 14: want a string, have '3'`},
		{"shape that is no array", tensor(`"shape":4`), `in: tensor "w": shape: header, byte 14: want an array, have '4'`},
		{"shape of strings", tensor(`"shape":["1"]`), `in: tensor "w": shape: header, byte 15: want a number, have '"'`},
		{"shape with a comma at the end", tensor(`"shape":[1,]`), `in: tensor "w": shape: header, byte 17: want a number, have ']'`},
		{"negative length", tensor(`"shape":[-1]`), `in: tensor "w": shape: header, byte 15: negative number`},
		{"fraction", tensor(`"shape":[1.0]`), `in: tensor "w": shape: header, byte 15: number that is not written as an integer`},
		{"exponent", tensor(`"shape":[1e0]`), `in: tensor "w": shape: header, byte 15: number that is not written as an integer`},
		{"leading zero", tensor(`"shape":[01]`), `in: tensor "w": shape: header, byte 15: number with a leading zero`},
		{"length 2^64", tensor(`"shape":[18446744073709551616]`), `in: tensor "w": shape: header, byte 34: number too large`},
		{"elements that overflow", tensor(dtype + `,"shape":[2147483647,2147483647,4],` + offsets),
			`in: tensor "w": shape [2147483647, 2147483647, 4] of F32 overflows`},
		{"absurd rank", tensor(dtype + `,"shape":[` + strings.Repeat("1,", 1e5) + `2],` + offsets),
			`in: tensor "w": shape [` + strings.Repeat("1, ", 16) + `...] of F32 needs 8 bytes, data_offsets [0, 4] hold 4`},
		{"odd F4", tensor(`"dtype":"F4","shape":[3],"data_offsets":[0,2]`), `in: tensor "w": shape [3] of F4 does not fill whole bytes`},
		{"one offset", tensor(dtype + "," + shape + `,"data_offsets":[4]`), `in: tensor "w": data_offsets: want two numbers, have 1`},
		{"three offsets", tensor(`"data_offsets":[0,4,8]`), `in: tensor "w": data_offsets: header, byte 26: want two numbers, have more`},
		{"negative offset", tensor(`"data_offsets":[-4,0]`), `in: tensor "w": data_offsets: header, byte 22: negative number`},
		{"offset 2^63", tensor(`"data_offsets":[0,9223372036854775808]`), `in: tensor "w": data_offsets: header, byte 42: number too large`},
		{"offsets that run backwards", tensor(dtype + "," + shape + `,"data_offsets":[4,0]`), `in: tensor "w": data_offsets: [4, 0] run backwards`},
		{"offsets too narrow", tensor(dtype + `,"shape":[2],` + offsets), `in: tensor "w": shape [2] of F32 needs 8 bytes, data_offsets [0, 4] hold 4`},
		{"offsets too wide", tensor(`"dtype":"F16",` + shape + "," + offsets), `in: tensor "w": shape [1] of F16 needs 2 bytes, data_offsets [0, 4] hold 4`},

		{"overlap", two(0, 4, 3, 6, 6), `in: tensor "b": data_offsets [3, 6] overlap tensor "a", which ends at 4`},
		{"overlap in the other order", two(3, 6, 0, 4, 6), `in: tensor "a": data_offsets [3, 6] overlap tensor "b", which ends at 4`},
		{"same range", two(0, 4, 0, 4, 4), `in: tensor "b": data_offsets [0, 4] overlap tensor "a", which ends at 4`},
		{"empty tensor inside another", two(0, 4, 2, 2, 4), `in: tensor "b": data_offsets [2, 2] overlap tensor "a", which ends at 4`},
		{"hole", two(0, 4, 5, 6, 6), `in: tensor "b": data_offsets [5, 6] leave a hole: no tensor has the bytes from 4`},
		{"hole at the start", two(1, 4, 4, 6, 6), `in: tensor "a": data_offsets [1, 4] leave a hole: no tensor has the bytes from 0`},
		{"hole before an empty tensor", two(0, 4, 5, 5, 5), `in: tensor "b": data_offsets [5, 5] leave a hole: no tensor has the bytes from 4`},
		{"offset past the end", two(0, 4, 4, 9, 6), `in: tensor "b": data_offsets [4, 9] reach past the data's 6 bytes`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := openBytes(c.file)
			assert.Nil(t, f)
			assert.EqualError(t, err, c.want)
		})
	}
}

func TestAppendHeader(t *testing.T) {
	tensors := []Info{{"a\"\\\x01é\u2028", F32, ShapeOf(2, 3), 0, 24}, {"s", U8, ShapeOf(), 24, 1}}
	metadata := map[string]string{"z": "", "a": "<&>\n", "m": "\x7f"}
	text := string(appendHeader(make([]byte, lengthSize), metadata, tensors))[lengthSize:]
	assert.Zero(t, len(text)%8)
	assert.Equal(t, `{"__metadata__":{"a":"<&>\u000a","m":"`+"\x7f"+`","z":""},`+
		`"a\"\\\u0001é`+"\u2028"+`":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},`+
		`"s":{"dtype":"U8","shape":[],"data_offsets":[24,25]}}`, strings.TrimRight(text, " "))

	assert.Equal(t, "{}      ", string(appendHeader(nil, nil, nil)))
	assert.Equal(t, `{"__metadata__":{}}     `, string(appendHeader(nil, map[string]string{}, nil)))
}
