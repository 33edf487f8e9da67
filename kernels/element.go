package kernels

import (
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
)

// Float is an element type of tensors.
type Float interface {
	float32 | float16.Float16 | bf16.BFloat16
}

// Code is an element type of integer codes.
type Code interface{ int8 | uint8 }
