package kernels

import (
	"fmt"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// Packing says how integer codes of less than eight bits are stored: several to
// a byte, the first in the lowest bits, the last byte padded with zeros. Rows
// and groups are not padded.
type Packing uint8

// The packings.
const (
	Int4  Packing = iota // -8..7, two to a byte
	Uint4                // 0..15, two to a byte
	Int2                 // -2..1, four to a byte
	Uint2                // 0..3, four to a byte
)

// Bytes returns how many bytes n codes take.
func (f Packing) Bytes(n int) int { return packedBytes(n, f.bits()) }

// Range returns the least and the greatest code.
func (f Packing) Range() (min, max int) {
	n := 1 << f.bits()
	if f.signed() {
		return -n / 2, n/2 - 1
	}
	return 0, n - 1
}

// String returns the name of the constant.
func (f Packing) String() string {
	if f > Uint2 {
		return fmt.Sprintf("Packing(%d)", uint8(f))
	}
	return [...]string{"Int4", "Uint4", "Int2", "Uint2"}[f]
}

func (f Packing) signed() bool { return f == Int4 || f == Int2 }

func (f Packing) bits() int {
	if f <= Uint4 {
		return 4
	}
	return 2
}

// check panics unless the packing exists and has room for the codes.
func (f Packing) check(kernel string, min, max int) {
	if f > Uint2 {
		fail(kernel, "unknown %v", f)
	}
	if least, most := f.Range(); min < least || max > most {
		fail(kernel, "codes %d..%d do not fit into %v", min, max, f)
	}
}

// packedBytes returns how many bytes n codes of so many bits take.
func packedBytes(n, bits int) int {
	toByte := 8 / bits
	if n%toByte > 0 {
		return n/toByte + 1
	}
	return n / toByte
}

// storage is how integer codes are stored, in the terms of the assembly. Packed
// ones are written alike whether they are signed or not; sign is the highest
// bit of a signed one.
type storage struct {
	code asm.Code
	bits int
	sign int32
}

func (f Packing) storage() storage { return packed(f.bits(), f.signed()) }

func packed(bits int, signed bool) storage {
	s := storage{code: asm.Packed4, bits: bits}
	if bits == 2 {
		s.code = asm.Packed2
	}
	if signed {
		s.sign = 1 << (bits - 1)
	}
	return s
}

// storageOf is that of codes with a byte each.
func storageOf[C Code]() storage {
	if isSigned[C]() {
		return storage{code: asm.Int8, bits: 8}
	}
	return storage{code: asm.Uint8, bits: 8}
}

func isSigned[C Code]() bool { return C(0)-1 < 0 }
