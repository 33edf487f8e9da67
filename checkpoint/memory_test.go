package checkpoint

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/quant"
)

// writeSmall writes a file of so many tensors of 64 bytes.
func writeSmall(t *testing.T, path string, tensors int) {
	t.Helper()
	var header strings.Builder
	for i := range tensors {
		fmt.Fprintf(&header, `%c"t%d.weight":{"dtype":"F32","shape":[4,4],"data_offsets":[%d,%d]}`, "{,"[min(i, 1)], i, 64*i, 64*i+64)
	}
	header.WriteByte('}')
	file := binary.LittleEndian.AppendUint64(nil, uint64(header.Len()))
	file = append(append(file, header.String()...), make([]byte, 64*tensors)...)
	require.NoError(t, os.WriteFile(path, file, 0o666))
}

// heap is what is held in memory.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A tensor of a file of very many takes little memory, be it read, converted or written: 100,000 of them fit 200 MB with all that is left for
// the garbage collector.
func TestManyTensors(t *testing.T) {
	const tensors = 10_000
	dir := t.TempDir()
	writeSmall(t, filepath.Join(dir, "in"), tensors)
	choice := &Choice{Spec: quant.Spec{}, Pack: true}
	for _, c := range []struct {
		in, out         string
		job             Job
		opened, planned int // bytes that are held for each tensor
	}{
		{"in", "codes", &Quantization{Choose: func(*Tensor) *Choice { return choice }}, 650, 1250},
		{"in", "copy", &Quantization{Choose: func(*Tensor) *Choice { return nil }}, 650, 1250},
		{"codes", "back", Dequantization{}, 1250, 1800},
	} {
		base := heap()
		held := func() int { return int(heap()-base) / tensors }
		in := open(t, filepath.Join(dir, c.in))
		assert.Less(t, held(), c.opened, c.out)
		p, err := NewPlan(in, c.job, 1<<20)
		require.NoError(t, err)
		assert.Less(t, held(), c.planned, c.out)
		most, n := 0, 0
		require.NoError(t, p.WriteFile(context.Background(), filepath.Join(dir, c.out), WriteOptions{Progress: func(string, int64) {
			if n++; n%(tensors/2) == 0 {
				most = max(most, held())
			}
		}}))
		assert.Less(t, most, c.planned+200, c.out)
		runtime.KeepAlive(p)
		require.NoError(t, in.Close())
	}
}
