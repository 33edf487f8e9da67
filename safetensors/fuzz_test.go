package safetensors

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzParse: no header makes the parser panic; one that it accepts means to encoding/json what it means to us, keeps the format's rules,
// and is read from what we write as it was read before.
func FuzzParse(f *testing.F) {
	for _, seed := range []struct {
		text string
		data uint16
	}{
		{`{}`, 0},
		{ab, 14},
		{`{"__metadata__":{"format":"pt","\u00e9\ud83d\ude00":"\"\\\n"}}  `, 0},
		{`{"a":{"dtype":"F4","shape":[2,3],"data_offsets":[4,7]},"b":{"data_offsets":[0,4],"dtype":"F32","shape":[]},"c":{"dtype":"I64","shape":[0],"data_offsets":[4,4]}}`, 7},
		{`{"w":{"dtype":"BF16","shape":[9223372036854775807,4],"data_offsets":[0,8]}}`, 8},
		{`{"w":{"dtype":"F6_E2M3","shape":[1,1,1],"data_offsets":[0,01]}}`, 1},
		{`{"w":[[[[[[[[`, 0},
		{` {"__metadata__":null,"w":{"dtype":"U8","x":{"y":[1e5,true]},"shape":[ 1 , 2 ],"data_offsets":[0,2]}}`, 2},
		{`{"w":{"dtype":"U8","shape":[0,9223372036854775807,9],"data_offsets":[0,0]}}`, 0},
		{`{"\ud83d":{"dtype":"U8","shape":[-0],"data_offsets":[0,0.0]}}`, 0},
	} {
		f.Add(seed.text, seed.data)
	}
	f.Fuzz(func(t *testing.T, text string, data uint16) {
		h, err := parseHeader(text, int64(data))
		if err != nil {
			require.NotContains(t, inFile("in", err).Error(), "\n")
			return
		}
		checkInvariants(t, h, int64(data))
		checkAgainstJSON(t, h, text)

		again, err := parseHeader(string(appendHeader(nil, h.metadata, h.tensors)), int64(data))
		require.NoError(t, err)
		assert.Equal(t, h, again)
	})
}

// FuzzFile reads whole files, so that the length in front is fuzzed too.
func FuzzFile(f *testing.F) {
	f.Add(image(ab, make([]byte, 14)))
	f.Add(image(`{}`, nil))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		in, err := openBytes(file)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		checkInvariants(t, in.header, int64(len(file))-in.base)
		for _, info := range in.Tensors() {
			data, err := in.ReadAll(info.Name)
			require.NoError(t, err)
			begin := in.base + info.Offset
			assert.Equal(t, file[begin:begin+info.Size], data)
		}
	})
}

func checkInvariants(t *testing.T, h *header, dataSize int64) {
	require.Len(t, h.byName, len(h.tensors))
	covered := int64(0)
	for i, info := range h.tensors {
		require.Equal(t, i, h.find(info.Name))
		require.NotEqual(t, metadataKey, info.Name)
		require.GreaterOrEqual(t, info.Elements(), 0)
		require.GreaterOrEqual(t, info.Offset, int64(0))
		require.GreaterOrEqual(t, info.Size, int64(0))
		require.LessOrEqual(t, info.Offset+info.Size, dataSize)
		require.Equal(t, int64(info.Elements())*int64(info.DType.Bits()), info.Size*8)
		for _, other := range h.tensors[:i] {
			apart := info.Offset+info.Size <= other.Offset || other.Offset+other.Size <= info.Offset
			require.True(t, apart, "%s and %s overlap", info.Name, other.Name)
		}
		covered += info.Size
	}
	require.Equal(t, dataSize, covered) // without overlap: no hole
}

func checkAgainstJSON(t *testing.T, h *header, text string) {
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &members))
	if raw, ok := members[metadataKey]; ok && string(raw) == "null" {
		require.Nil(t, h.metadata)
		delete(members, metadataKey)
	} else if ok {
		var metadata map[string]string
		require.NoError(t, json.Unmarshal(raw, &metadata))
		require.Equal(t, metadata, h.metadata)
		delete(members, metadataKey)
	} else {
		require.Nil(t, h.metadata)
	}
	require.Len(t, h.tensors, len(members))
	for _, info := range h.tensors {
		var fields struct {
			DType   string   `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}
		require.NoError(t, json.Unmarshal(withoutOthers(t, members[info.Name]), &fields))
		require.Equal(t, fields.DType, info.DType.String())
		require.Equal(t, fields.Shape, info.Shape.Dims())
		require.Equal(t, fields.Offsets, [2]int64{info.Offset, info.Offset + info.Size})
	}
}

// withoutOthers drops the fields that the format does not know, some of which encoding/json would take for those that it knows.
func withoutOthers(t *testing.T, text []byte) []byte {
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &all))
	for name := range all {
		if name != "dtype" && name != "shape" && name != "data_offsets" {
			delete(all, name)
		}
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return text
}
