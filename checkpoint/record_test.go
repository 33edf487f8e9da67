package checkpoint

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// FuzzRecords: no text under "lowbit" in a file's metadata makes the reader panic; what it accepts can be asked for all that it says, and is
// read again, from what is written of it, as the same.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{
		`{}`,
		`{"version":2,"tensors":{}}`,
		`{"version":2,"specs":[{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":32}}],"tensors":{"a":{"spec":0,"dtype":"BF16","shape":[4,64],"packed":true}}}`,
		`{"version":1,"tensors":{"a.b":{"spec":{"dtype":"float4_e2m1fn_x2"},"dtype":"F32","shape":[2,2],"packed":true},"c":{"spec":{"qscheme":"asymmetric"},"dtype":"F16","shape":[]}}}`,
		`{"version":2,"specs":[{"qparam_calculator_cls":{"name":"moving_average","constant":0.5}}],"tensors":{"a":{"spec":0,"dtype":"F32","shape":[9223372036854775807]}}}`,
		`{"version":2,"specs":[{}],"tensors":{"a":{"spec":-1,"dtype":"F32","shape":[1]},"b":{"spec":1,"dtype":"I8","shape":[0]}}}`,
		`{"version":2,"specs":[{"dtype":"int2","dtype":"int4"}],"tensors":{"a":{"spec":null}}}`,
		`[`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		records, err := parseRecords(text)
		if err != nil {
			require.NotContains(t, (&safetensors.Error{File: "in", Err: err}).Error(), "\n")
			return
		}
		for name, r := range records {
			dtype, shape := r.Stored()
			assert.Positive(t, dtype.Bits())
			if dtype != safetensors.U8 || !r.Packed {
				assert.Equal(t, r.Shape, shape)
			}
			for _, c := range r.Companions() {
				assert.True(t, records.Companion(name+c.Suffix))
			}
		}
		metadata, err := records.Metadata(nil)
		require.NoError(t, err)
		again, err := parseRecords(metadata[RecordsKey])
		require.NoError(t, err)
		require.Len(t, again, len(records))
		for name, r := range records {
			r.first = false
			assert.Equal(t, r.Spec.String(), again[name].Spec.String())
			assert.Equal(t, r.Codes().DataShape(), again[name].Codes().DataShape())
			assert.Equal(t, r.DType, again[name].DType)
		}
	})
}

// Which of two values is meant depends on the reader: neither is taken.
func TestRecordsTwice(t *testing.T) {
	const entry = `{"spec":0,"dtype":"F32","shape":[4]}`
	good := `{"version":2,"specs":[{}],"tensors":{"a":` + entry + `,"b":` + entry + `}}`
	records, err := parseRecords(good)
	require.NoError(t, err)
	require.Len(t, records, 2)
	for what, text := range map[string]string{
		"version": strings.Replace(good, `"version":2`, `"version":2,"version":2`, 1),
		"specs":   strings.Replace(good, `"specs"`, `"specs":[],"specs"`, 1),
		"tensors": strings.Replace(good, `"tensors"`, `"tensors":{},"tensors"`, 1),
		"a":       strings.Replace(good, `"b"`, `"a"`, 1),
	} {
		_, err := parseRecords(text)
		require.ErrorContains(t, err, `has the key "`+what+`" twice`)
	}
}
