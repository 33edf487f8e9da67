package kernels

import (
	"encoding/binary"
	"strings"
	"testing"
)

// Each target runs one family of kernels on arbitrary bits: grids, ranges of
// codes, scales, zero points and elements come from the data as they are.

func FuzzFakeQuantizeInt(f *testing.F)   { fuzz(f, "FakeQuantizeInt/") }
func FuzzQuantizeInt(f *testing.F)       { fuzz(f, "QuantizeInt/") }
func FuzzDequantizeInt(f *testing.F)     { fuzz(f, "DequantizeInt/") }
func FuzzFakeQuantizeFloat(f *testing.F) { fuzz(f, "FakeQuantizeFloat/") }
func FuzzQuantizeFloat(f *testing.F)     { fuzz(f, "QuantizeFloat/") }
func FuzzDequantizeFloat(f *testing.F)   { fuzz(f, "DequantizeFloat/") }
func FuzzBackward(f *testing.F)          { fuzz(f, "Backward/") }
func FuzzMinMax(f *testing.F)            { fuzz(f, "MinMax/") }
func FuzzChoose(f *testing.F)            { fuzz(f, "Choose") }
func FuzzObserve(f *testing.F)           { fuzz(f, "Observe") }
func FuzzDynamic(f *testing.F)           { fuzz(f, "Dynamic") }
func FuzzPack(f *testing.F)              { fuzz(f, "Pack") }
func FuzzUnpack(f *testing.F)            { fuzz(f, "Unpack") }
func FuzzEncode(f *testing.F)            { fuzz(f, "Encode") }
func FuzzDecode(f *testing.F)            { fuzz(f, "Decode") }

// fuzzed is how many elements a run has, or little more.
const fuzzed = 600

func fuzz(f *testing.F, prefix string) {
	var family []kernel
	for _, k := range table {
		if strings.HasPrefix(k.name, prefix) {
			family = append(family, k)
		}
	}
	r := newSource(12)
	for i := range 40 {
		data := make([]byte, r.IntN(200))
		fillBytes(r, data)
		f.Add(uint8(i), uint8(r.IntN(3)), uint8(r.IntN(8)), uint8(r.IntN(50)), uint8(i), uint8(i), data)
	}
	implementations := assembled(f)
	l := newLab()
	f.Fuzz(func(t *testing.T, which, rows, groups, length, codes, offset uint8, data []byte) {
		k := &family[int(which)%len(family)]
		// Some vectors of elements are enough for every way through the assembly, and a run of them is short.
		g := Grid{Rows: int(rows) % 4, Len: int(length) % 150}
		g.Groups = int(groups) % (2 + fuzzed/max(1, g.Rows*g.Len))
		if k.flat {
			g = Grid{1, 1, elements(g)}
		}
		l.allot(k, g)
		if len(k.formats) > 0 {
			p := k.formats[int(codes)%len(k.formats)]
			l.given.min, l.given.max = p.Min, p.Max
		}
		// The data, over and over again.
		at := 0
		for i, o := range k.operands {
			b := l.given.mem[i]
			for j := range b {
				if !o.out && len(data) > 0 {
					b[j] = data[at%len(data)]
					at++
				}
			}
			if o.name == "zeroPoint" {
				for j := 0; j < len(b); j += 4 {
					z := binary.NativeEndian.Uint32(b[j:])
					binary.NativeEndian.PutUint32(b[j:], uint32(l.given.min+int(z%uint32(l.given.max-l.given.min+1))))
				}
			}
		}
		k.oracle(&l.given)
		for _, name := range implementations {
			if err := Use(name); err != nil {
				t.Fatal(err)
			}
			for _, p := range []place{{offset: int(offset) % 64}, {atEnd: true}} {
				if err := l.try(p); err != nil {
					t.Fatalf("%s: %s: %+v, %+v: %v", k.name, name, g, p, err)
				}
			}
		}
	})
}
