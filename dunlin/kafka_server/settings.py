"""The configuration of the broker and its JVM, as text."""

from pathlib import Path

from dunlin.stack.ports import HOST

# A session time-out of 3 s: after a kill -9 the old registration has to time out before the new one counts; with the
# default of 9 s every such restart takes 12 s. One replica everywhere, because there is one broker; few internal
# partitions, and a cleaner's buffer that fits into a heap of 256 MB.
_SERVER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.partitions=4
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
log.cleaner.dedupe.buffer.size=16777216
"""

LOG4J = """\
status=error
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=${sys:dunlin.log}
appender.file.filePattern=${sys:dunlin.log}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{ISO8601}{UTC} %p %c{1} - %m%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=3
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
logger.kafka.name=kafka
logger.kafka.level=info
"""

# A small serial heap with the quick compiler only: 200 MB in all, and 80,000 messages a second. The last four keep
# JDK 25 from writing warnings where people read.
JVM_FLAGS = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
)


def server_properties(port: int, controller_port: int, data: Path, more: str = "") -> str:
    """Write the broker's configuration: clients on `port`, its own controller on `controller_port`, logs in `data`.

    `more` are lines of the same form; where they name a property again, the last one counts.
    """
    return _SERVER.format(host=HOST, port=port, controller_port=controller_port, data=data) + more
