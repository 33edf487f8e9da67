// Package ir is the vocabulary in which a kernel's formula is written down.
//
// A formula calls methods on values; each call records one node of a small
// SSA graph. A value is a tile of 4W consecutive elements, W being the number
// of float32 in a register of the target: four registers of 32-bit lanes, two
// of 16-bit lanes or one of bytes. Equal nodes are recorded once.
//
// The graph says nothing of registers, loops or tails: package plan adds
// those, and a target (x86, neon) chooses instructions.
package ir

// Type is the lane type of a value.
type Type uint8

// Lane types. A Mask is true or false per 32-bit lane, a Mask16 per 16-bit lane.
// The lanes of I16 are in an order that the target may choose, unless they were
// loaded or looked up.
const (
	None Type = iota
	F32
	I32
	I16
	I8
	Mask
	Mask16
)

// Slots is the number of registers that a tile of this type takes.
func (t Type) Slots() int {
	switch t {
	case I16, Mask16:
		return 2
	case I8:
		return 1
	}
	return 4
}
