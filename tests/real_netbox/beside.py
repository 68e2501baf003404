"""The same questions to a real NetBox and the simulated one, and every difference named."""
import json
import sys


def compare(what, answers, known, plain=lambda answer: answer):
    """Asks both servers named on the command line. `answers(url, token)` yields (call, answer…); `known` says why a call's answers
    may differ; `plain` takes out what is no difference. Ends the process: status 1 when a difference is not in `known`, or one of
    `known` is none any more."""
    real, simulated = sys.argv[1:3], sys.argv[3:5]
    unknown, different, count = 0, set(), 0
    for (call, *want), (other, *have) in zip(answers(*real), answers(*simulated), strict=True):
        count += 1
        want, have = (plain(json.loads(json.dumps(answer))) for answer in (want, have))
        if want != have or call != other:
            different.add(call)
            if call not in known:
                unknown += 1
                print(f"{call}\n  real      {json.dumps(want)[:900]}\n  simulated {json.dumps(have)[:900]}")
    for call in known.keys() - different:
        unknown += 1
        print(f"{call}\n  is no difference any more: take it out of KNOWN")
    print(f"{count} {what} compared, {len(different)} differ, {unknown} of them not known")
    sys.exit(bool(unknown))
