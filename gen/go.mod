module github.com/lowbit-go/lowbit/gen

go 1.26.0

require (
	github.com/lowbit-go/lowbit v0.0.0
	github.com/mmcloughlin/avo v0.6.0
)

require (
	golang.org/x/mod v0.21.0 // indirect
	golang.org/x/sync v0.8.0 // indirect
	golang.org/x/tools v0.25.1 // indirect
)

replace github.com/lowbit-go/lowbit => ..
