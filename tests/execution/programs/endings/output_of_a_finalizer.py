"""Print in the finalizer of a global object."""


class A:
    def __del__(self):
        print(input())


a = A()
