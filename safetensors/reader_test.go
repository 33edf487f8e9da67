package safetensors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/race"
)

const ab = `{"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"b":{"dtype":"I16","shape":[2,2],"data_offsets":[6,14]}}`

func TestReadTensor(t *testing.T) {
	data := counting(14)
	path := filepath.Join(t.TempDir(), "in.safetensors")
	require.NoError(t, os.WriteFile(path, image(ab, data), 0o666))
	f, err := Open(path)
	require.NoError(t, err)
	assert.Equal(t, path, f.Name())

	all, err := f.ReadAll("b")
	require.NoError(t, err)
	assert.Equal(t, data[6:], all)

	buf := make([]byte, 3)
	require.NoError(t, f.ReadTensor("b", buf, 5))
	assert.Equal(t, data[11:], buf)
	require.NoError(t, f.ReadTensor("b", nil, 8))

	for _, c := range []struct {
		name string
		off  int64
		want string
	}{
		{"b", 6, `tensor "b": 3 bytes at 6 lie outside its 8 bytes`},
		{"a", 4, `tensor "a": 3 bytes at 4 lie outside its 6 bytes`},
		{"a", -1, `tensor "a": 3 bytes at -1 lie outside its 6 bytes`},
		{"a", 1<<63 - 1, `tensor "a": 3 bytes at 9223372036854775807 lie outside its 6 bytes`},
		{"c", 0, `tensor "c": no such tensor`},
	} {
		assert.EqualError(t, f.ReadTensor(c.name, buf, c.off), path+": "+c.want)
	}
	_, err = f.ReadAll("c")
	assert.EqualError(t, err, path+`: tensor "c": no such tensor`)

	require.NoError(t, f.Close())
	err = f.ReadTensor("a", buf, 0)
	assert.ErrorIs(t, err, fs.ErrClosed)
	assert.EqualError(t, err, path+`: tensor "a": file already closed`)
	assert.ErrorIs(t, f.Close(), fs.ErrClosed)
}

func TestReadFromSeveralGoroutines(t *testing.T) {
	data := counting(14)
	f, err := openBytes(image(ab, data))
	require.NoError(t, err)
	defer f.Close()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			buf := make([]byte, 1)
			assert.NoError(t, f.ReadTensor("b", buf, int64(i)))
			assert.Equal(t, data[6+i], buf[0])
		})
	}
	wg.Wait()
}

func TestFileThatShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.safetensors")
	require.NoError(t, os.WriteFile(path, image(ab, make([]byte, 14)), 0o666))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, os.Truncate(path, int64(8+len(ab)+9)))

	buf := make([]byte, 8)
	require.NoError(t, f.ReadTensor("a", buf[:6], 0))
	require.NoError(t, f.ReadTensor("b", buf[:3], 0))
	err = f.ReadTensor("b", buf, 0)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.EqualError(t, err, fmt.Sprintf(`%s: tensor "b": file became shorter while it was read: 3 bytes at %d, want 8: unexpected EOF`, path, 8+len(ab)+6))
	_, err = f.ReadAll("b")
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestHeaderThatShrinks(t *testing.T) {
	file := image(ab, make([]byte, 14))
	for _, have := range []int{0, 4, 8, 20} {
		_, err := NewFile(bytes.NewReader(file[:have]), int64(len(file)), "in")
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.ErrorContains(t, err, "in: header: file became shorter while it was read")
	}
}

type failingReader struct{ io.ReaderAt }

var errBroken = errors.New("input/output error")

func (r failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(8+len(ab)) {
		return 0, &fs.PathError{Op: "read", Path: "elsewhere", Err: errBroken}
	}
	return r.ReaderAt.ReadAt(p, off)
}

func TestReadError(t *testing.T) {
	file := image(ab, make([]byte, 14))
	f, err := NewFile(failingReader{bytes.NewReader(file)}, int64(len(file)), "in")
	require.NoError(t, err)
	err = f.ReadTensor("a", make([]byte, 1), 0)
	assert.ErrorIs(t, err, errBroken)
	assert.EqualError(t, err, `in: tensor "a": input/output error`)
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	assert.Equal(t, "in", e.File)
	assert.Equal(t, "a", e.Tensor)
}

func TestOpenWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	_, err := Open(missing)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.EqualError(t, err, missing+": no such file or directory")

	_, err = Open(dir)
	assert.EqualError(t, err, dir+": is a directory")

	empty := filepath.Join(dir, "line\nbreak")
	require.NoError(t, os.WriteFile(empty, nil, 0o666))
	_, err = Open(empty)
	assert.EqualError(t, err, fmt.Sprintf("%q: file is empty", empty))
}

// A header's claims cost nothing that the file does not hold.
func TestAllocationIsBounded(t *testing.T) {
	const most = 64 << 10
	for name, file := range map[string][]byte{
		"header length at the limit": append([]byte{0x00, 0xe1, 0xf5, 0x05, 0, 0, 0, 0}, "{}"...),
		"2^60 elements":              image(`{"w":{"dtype":"U8","shape":[1152921504606846976],"data_offsets":[0,1152921504606846976]}}`, nil),
		"2^60 empty rows":            image(`{"w":{"dtype":"U8","shape":[1152921504606846976,0],"data_offsets":[0,0]}}`, []byte{0}),
		"2^62 bytes cut":             image(`{"w":{"dtype":"F32","shape":[1073741824,1073741824],"data_offsets":[0,4611686018427387904]}}`, make([]byte, 100)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := openBytes(file)
		runtime.ReadMemStats(&after)
		assert.Error(t, err, name)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(most), name)
	}
}

// What is kept of a header, and what it takes to read it, is in proportion to its text.
func TestHeaderMemory(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector takes memory of its own")
	}
	entry := func(name, shape string, from, to int) string {
		return fmt.Sprintf(`"%s":{"dtype":"U8","shape":[%s],"data_offsets":[%d,%d]}`, name, shape, from, to)
	}
	var small []string
	for i := range 10000 {
		small = append(small, entry(fmt.Sprint(i), "64", 64*i, 64*i+64))
	}
	for name, c := range map[string]struct {
		entries []string
		data    int
	}{
		"many tensors":           {small, 640000},
		"a long name":            {append(small[:1000:1000], entry(strings.Repeat("é{", 300000), "", 64000, 64001)), 64001},
		"a name of escapes":      {[]string{entry(strings.Repeat(`\n`, 500000), "", 0, 1)}, 1},
		"a high rank":            {[]string{entry("", strings.Repeat("1,", 500000)+"1", 0, 1)}, 1},
		"a high rank with space": {[]string{entry("", strings.Repeat("1, ", 400000)+"1", 0, 1)}, 1},
		"an unknown field":       {[]string{`"x":{"y":[` + strings.Repeat("1,", 500000) + "1]," + entry("", "", 0, 1)[4:]}, 1},
	} {
		file := image("{"+strings.Join(c.entries, ",")+"}", make([]byte, c.data))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := openBytes(file)
		runtime.ReadMemStats(&after)
		require.NoError(t, err, name)
		assert.Len(t, f.Tensors(), len(c.entries), name)
		header := len(file) - c.data - 8
		assert.Less(t, float64(after.TotalAlloc-before.TotalAlloc), 2.5*float64(header)+4096, name)
	}
}

func TestReadTensorDoesNotAllocate(t *testing.T) {
	f, err := openBytes(image(ab, make([]byte, 14)))
	require.NoError(t, err)
	buf := make([]byte, 4)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if err := f.ReadTensor("b", buf, 2); err != nil {
			t.Fatal(err)
		}
	}))
}
