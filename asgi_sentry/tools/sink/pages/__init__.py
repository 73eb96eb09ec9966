class Pages:
    def __init__(self, server, *, budgets):
        async def app(scope, receive, send):
            await send({"type":"http.response.start","status":404,"headers":[]}); await send({"type":"http.response.body","body":b""})
        self.app = app
