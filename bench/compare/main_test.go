package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReport(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) map[key]float64 {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		times, err := read(path)
		require.NoError(t, err)
		return times
	}
	before := write("before.json", `[{"op":"a","impl":"avx2","n":64,"ns_per_element":1},{"op":"b","impl":"avx2","n":64,"ns_per_element":2},{"op":"gone","n":1,"ns_per_element":1}]`)
	after := write("after.json", `[{"op":"a","impl":"avx2","n":64,"ns_per_element":9},{"op":"b","impl":"avx2","n":64,"ns_per_element":1}]
[{"op":"a","impl":"avx2","n":64,"ns_per_element":2}]`)
	var out bytes.Buffer
	require.NoError(t, report(&out, before, after))
	assert.Equal(t, `2 operations, geometric mean of after/before 1.000

avx2               64  1.000 of 2

2.000  a                                  avx2               64    1.0000 ns before,   2.0000 after
0.500  b                                  avx2               64    2.0000 ns before,   1.0000 after
`, out.String())
	assert.Error(t, report(&out, before, map[key]float64{}))
	_, err := read(filepath.Join(dir, "none.json"))
	assert.Error(t, err)
}
