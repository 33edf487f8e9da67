package kernels

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAlarmsInRows has one element, or one group's scale, out of the ordinary in a
// row of groups that is ordinary otherwise, in each tile in turn: loops that begin
// tiles ahead, and carry on from group to group, must leave no trace of a tile that
// is done the rare way.
func TestAlarmsInRows(t *testing.T) {
	implementations := assembled(t)
	r := newSource(7)
	l := newLab()
	oddities := map[int][]uint32{4: {0x7fc00000, 0x7f800000, 0xff7fffff}, 2: {0x7fff, 0x7c00, 0xff7f}, 1: {0xff, 0x7f}}
	for number, k := range table {
		scale := slices.IndexFunc(k.operands, func(o operand) bool { return o.name == "scale" && !o.out })
		if k.flat || scale < 0 {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			for _, g := range []Grid{{1, 20, 16}, {1, 11, 32}, {1, 7, 64}, {2, 4, 128}, {1, 4, 160}, {1, 3, 192}, {1, 2, 320}} {
				try := func(i, at int, bits uint32) {
					r.wild, r.odd = 0, 0
					l.allot(&k, g)
					if len(k.formats) > 0 {
						f := k.formats[r.IntN(len(k.formats))]
						l.given.min, l.given.max = f.Min, f.Max
					}
					k.fill(r, &l.given)
					b, size := l.given.mem[i], k.operands[i].elem.size
					switch b = b[at*size:]; size {
					case 4:
						binary.NativeEndian.PutUint32(b, bits)
					case 2:
						binary.NativeEndian.PutUint16(b, uint16(bits))
					default:
						b[0] = byte(bits)
					}
					k.oracle(&l.given)
					for _, name := range implementations {
						require.NoError(t, Use(name))
						if err := l.try(place{offset: at % 64}); err != nil {
							t.Fatalf("%s: %+v, %s[%d]=%#x: %v", name, g, k.operands[i].name, at, bits, err)
						}
					}
				}
				some := oddities[k.operands[1].elem.size]
				for at := number % 64; at < k.operands[1].len(g); at += effort(64, 32, 1) {
					try(1, at, some[(number+at/64)%len(some)])
				}
				for group := range g.Groups {
					try(scale, group, []uint32{0x7f000000, 0x00000001, 0x7fc00000}[(number+group)%3])
				}
			}
		})
	}
}
