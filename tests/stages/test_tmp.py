import time
def test_x(finished):
    for n,e in finished.ended.items():
        print(n, e.status, sorted(e.read))
    print(finished.project.folder)
    assert 0
