.PHONY: corpus notices stopped down build test verify mutants coverage lint interop-hydra soak crash together e2e conformance diagrams bench bench-compare fuzz demo

FUZZTIME ?= 10s
GOLANGCI = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

build:
	go build -o bin/ ./cmd/mcpproxy ./cmd/statectl

# What continuous integration runs: lint, every test with the race detector, and
# without it what it would distort (what the engine allocates), the complete search and
# the count of what the runtime's tests cover. The conformance suite judges real
# milliseconds, and has the machine for itself.
test: lint
	go test -race -count=1 -timeout 20m $$(go list ./... | grep -v /tests/conformance$$)
	go test -race -count=1 -timeout 20m ./tests/conformance
	go test -count=1 ./fsm
	$(MAKE) verify coverage

# What the tests of the runtime make of everything that the graph declares, counted by
# their journals; it ends with an error where something is missing.
coverage:
	@journals=$$(mktemp -d); trap "rm -rf $$journals" EXIT; \
	MCPPROXY_JOURNALS=$$journals go test -count=1 ./upstream && go run ./tests/journals/cmd/coverage $$journals

# Every situation of the graph and what is around it, searched for a broken promise.
verify:
	go run ./cmd/statectl verify

# The same search on every graph that differs from the declared one in one place, for a
# region at a time; a sample is part of test.
REGION ?= connection
mutants:
	go test ./tests/mutants -run TestEveryMutantIsCaughtOrHarmless -v -timeout 0 -args -all -region=$(REGION)

# gofmt, vet, and what .golangci.yml asks for. The linters are a program of their own, at a
# pinned version, so that who uses the module does not get theirs.
lint:
	go vet ./...
	cd tests/bench && go vet ./...
	cd tests/interop/zitadel && go vet ./...
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted: $$unformatted"; exit 1; fi
	go run $(GOLANGCI) run

# The life of a credential at Ory Hydra, which is built for it in two minutes or so.
HYDRA ?= v2.3.0
interop-hydra:
	@set -e; build=$$(mktemp -d); trap "rm -rf $$build" EXIT; \
	source=$$(cd $$build && GOFLAGS= go mod download -json github.com/ory/hydra/v2@$(HYDRA) | sed -n 's/.*"Dir": "\(.*\)",*/\1/p'); \
	cp -r "$$source" $$build/hydra; chmod -R u+w $$build/hydra; \
	(cd $$build/hydra && go mod edit -dropreplace github.com/ory/hydra-client-go/v2 && GOFLAGS=-mod=mod go build -tags sqlite -o $$build/program .); \
	go test -count=1 -run TestHydra -v ./tests/interop -args -hydra=$$build/program

# The whole proxy in simulated time under faults from seeds; FIRST is the first seed,
# HOURS are simulated for each. The short run is part of test.
SEEDS ?= 3000
FIRST ?= 1
HOURS ?= 6
soak:
	go test -C tests/simulation -run TestSeeds -timeout 0 -args -seeds=$(SEEDS) -first=$(FIRST) -hours=$(HOURS)

# The real program, killed with SIGKILL at each stage of each write and at random
# moments; SEED and a kill's number name the moment. The short run is part of test.
KILLS ?= 3000
SEED ?= 1
crash:
	go test -C tests/e2e -run TestKilledAnywhere -timeout 0 -args -kills=$(KILLS) -seed=$(SEED)

# From the end of an outage of the authorization server, of a second to a minute, to the
# first call that goes through; real processes. The short run is part of e2e.
outages:
	go test -count=1 -parallel 8 -run TestReturnFromAnOutage -v ./tests/e2e -timeout 15m -args -outages

# Each pair of commands that may hold the store, started at the same time, TRIES times.
TRIES ?= 100
together:
	go test -C tests/e2e -run TestCommandsStartedAtTheSameTime -timeout 0 -args -tries=$(TRIES)

# What the proxy of this version leaves behind, kept for the upgrade check of later ones:
# journals, stores and their keys, in tests/e2e/testdata/corpus/VERSION. Once a release.
corpus:
	go test -count=1 ./tests/e2e -run TestWriteTheCorpus -args -corpus=$(VERSION)

# Real processes, sockets and kill -9.
e2e:
	tests/run-oauth-e2e.sh

# What clients that were stopped cost the others: the 99th percentile of a call alone and
# beside them, and the proxy's memory. The short run is part of e2e.
STOPPED_FOR ?= 1m
stopped:
	STOPPED_FOR=$(STOPPED_FOR) go test ./tests/e2e -count=1 -run TestStoppedClientsHoldNobodyUp -v -timeout 20m

# The public conformance suite, both ways; writes docs/conformance.md. Part of test.
conformance:
	go run ./tests/conformance/cmd/conformance

# The licences of all that the products are linked from, which go with them.
notices:
	go test ./tests/notices -count=1 -args -update

diagrams:
	go run ./diagrams/cmd/generate

bench:
	go test -run '^$$' -bench . -benchmem ./fsm
	cd tests/bench && go test -run '^$$' -bench . -benchmem ./...

# The engine and the calls beside others that do the same, and storms, in one run of
# about fifteen minutes; needs Linux, 10,000 open files, and npm for the proxies that
# come from there. COMPARE takes flags: "-sections storms" measures one part.
bench-compare:
	cd tests/bench && go run ./cmd/compare $(COMPARE)

# What upstreams cost that are down for good, in several ways: a real process, by the
# kernel's count. DOWN takes flags: "-n 10000 -kinds refused -for 10m". Needs Linux.
down:
	cd tests/bench && go run ./cmd/down $(DOWN)

fuzz:
	go test -run '^$$' -fuzz FuzzDecode -fuzztime $(FUZZTIME) ./jsonrpc
	go test -run '^$$' -fuzz FuzzMembers -fuzztime $(FUZZTIME) ./jsonrpc
	go test -run '^$$' -fuzz FuzzEnding -fuzztime $(FUZZTIME) ./jsonrpc
	go test -run '^$$' -fuzz FuzzLoad -fuzztime $(FUZZTIME) ./config
	go test -run '^$$' -fuzz FuzzImport -fuzztime $(FUZZTIME) ./config
	go test -run '^$$' -fuzz FuzzText -fuzztime $(FUZZTIME) ./terminal
	go test -run '^$$' -fuzz FuzzChallenge -fuzztime $(FUZZTIME) ./upstream/oauth
	go test -run '^$$' -fuzz FuzzMetadata -fuzztime $(FUZZTIME) ./upstream/oauth
	go test -run '^$$' -fuzz FuzzTokenResponse -fuzztime $(FUZZTIME) ./upstream/oauth
	go test -run '^$$' -fuzz FuzzCallback -fuzztime $(FUZZTIME) ./upstream/oauth
	go test -run '^$$' -fuzz FuzzEvents -fuzztime $(FUZZTIME) ./upstream/wire
	go test -run '^$$' -fuzz FuzzRecord -fuzztime $(FUZZTIME) ./store
	go test -run '^$$' -fuzz FuzzDownstream -fuzztime $(FUZZTIME) ./proxy

# A login, calls while tokens are renewed, a restart, a summary. KEEP=--keep stays up.
demo:
	go run ./cmd/mcpproxy demo $(KEEP)
