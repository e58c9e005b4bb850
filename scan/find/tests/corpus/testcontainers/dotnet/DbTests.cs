using Testcontainers.PostgreSql;
public class DbTests
{
    private readonly PostgreSqlContainer _a = new PostgreSqlBuilder().WithImage("postgres:15.1").Build();
    private readonly IContainer _b = new ContainerBuilder("testcontainers/helloworld:1.1.0").WithPortBinding(8080).Build();
    private readonly MsSqlContainer _c = new MsSqlBuilder().WithImage($"mcr.microsoft.com/mssql/server:{Tag}").Build();
    private readonly string _d = new UriBuilder("http://x").ToString();
    private readonly StringBuilder _e = new StringBuilder("redis:7");
}
