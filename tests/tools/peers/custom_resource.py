"""Runs the program of a Lambda function that answers CloudFormation: a Runtime API that hands out events, and a bucket for answers."""

import http.server
import json
import threading
import time

from measure import Failed, Started
from place import free_port

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:peer"


class Invocations:
    """Create events for resources with these properties, one after the other in one environment of the function, as Lambda reuses it."""

    def __init__(self, program, properties):
        self.program, self.properties = program, properties

    def run(self, environment):
        with Api(self.properties) as api:
            started = Started([str(self.program)], {**environment, **api.environment()})
            while not api.finished.wait(0.05) and started.is_running():
                pass
            seconds = time.monotonic() - started.began
            # The function waits for the next event, so it is ended here.
            started.end()
            answers = api.answers
        failed = [answer["Reason"] for answer in answers if answer["Status"] != "SUCCESS"]
        if failed or len(answers) < len(self.properties):
            raise Failed(f"{self.program.name}: {failed[0] if failed else 'not all was answered: ' + started.errors()}")
        return {**started.figures(), "seconds": seconds}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """The function is ended while it waits for an event, which breaks its connection."""


class Api:
    def __init__(self, properties):
        self.port, self.finished, self.answers = free_port(), threading.Event(), []
        self.events = [self.event(number, of_it) for number, of_it in enumerate(properties)]
        self.given, self.done = 0, 0

    def event(self, number, properties):
        return {
            "RequestType": "Create",
            "ResponseURL": f"http://127.0.0.1:{self.port}/answers/{number}",
            "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/peers/1",
            "RequestId": str(number),
            "ResourceType": "Custom::CDKECRDeployment",
            "LogicalResourceId": f"Copy{number}",
            "ResourceProperties": {"ServiceToken": ARN, **properties},
        }

    def environment(self):
        return {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.port}",
            "AWS_LAMBDA_FUNCTION_NAME": "peer",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "peer",
            "AWS_LAMBDA_LOG_STREAM_NAME": "peer",
            "AWS_REGION": "eu-west-1",
        }

    def __enter__(self):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                event = api.next()
                if event is None:
                    # All events are done. The request for the next one never gets an answer.
                    threading.Event().wait()
                self.reply(200, json.dumps(event).encode(), event["RequestId"])

            def do_POST(self):
                self.body()
                self.reply(202, b"")
                api.ended(is_error=self.path.endswith("/error"))

            def do_PUT(self):
                api.answers.append(json.loads(self.body()))
                self.reply(200, b"")

            def body(self):
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length", 0)))
                content = b""
                while length := int(self.rfile.readline(), 16):
                    content += self.rfile.read(length)
                    self.rfile.readline()
                self.rfile.readline()
                return content

            def reply(self, status, content, request="none"):
                self.send_response(status)
                self.send_header("Lambda-Runtime-Aws-Request-Id", request)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 900_000))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", ARN)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        # Not `server_close`: that would wait for the handler of the request that never gets an answer.
        self.server.socket.close()

    def next(self):
        event = self.events[self.given] if self.given < len(self.events) else None
        self.given += 1
        return event

    def ended(self, is_error):
        """An invocation is over, after its answer has gone to CloudFormation."""
        self.done += 1
        if is_error or self.done == len(self.events):
            self.finished.set()
