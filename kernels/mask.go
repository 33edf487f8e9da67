package kernels

// Mask is where FakeQuantize writes and Backward reads which elements were not
// clipped: [NoMask], [ByteMask] or [BitMask].
type Mask struct {
	kind maskKind
	data []byte
}

type maskKind uint8

const (
	noMask maskKind = iota
	byteMask
	bitMask
)

// NoMask is the zero Mask: FakeQuantize writes none, and to Backward it stands
// for a mask of ones.
var NoMask Mask

// ByteMask is a mask of one byte per element, 0 or 1.
func ByteMask(data []byte) Mask { return Mask{byteMask, data} }

// BitMask is a mask of one bit per element, bit i%8 of byte i/8. It has
// BitMaskLen bytes; the bits behind the last element are written as 0, and not
// read.
func BitMask(data []byte) Mask { return Mask{bitMask, data} }

// BitMaskLen returns how many bytes a BitMask of n elements has.
func BitMaskLen(n int) int { return n/8 + (n%8+7)/8 }

// check panics unless the mask is one of n elements.
func (m Mask) check(kernel string, n int) {
	switch m.kind {
	case byteMask:
		checkLen(kernel, "mask", len(m.data), n)
	case bitMask:
		checkLen(kernel, "mask", len(m.data), BitMaskLen(n))
	}
}
