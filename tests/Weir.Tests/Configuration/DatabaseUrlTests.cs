using Npgsql;
using Weir.Configuration;

namespace Weir.Tests.Configuration;

public sealed class DatabaseUrlTests
{
    [Fact]
    public void Every_part_is_read_and_unescaped()
    {
        var connection =
            DatabaseUrl.Parse("postgresql://weir%40x:p%2Fw%3A@db.example:6543,db2:5432/my%20db?sslmode=verify-full&application_name=a%20b");

        connection.Username.ShouldBe("weir@x");
        connection.Password.ShouldBe("p/w:");
        connection.Host.ShouldBe("db.example:6543,db2:5432");
        connection.Database.ShouldBe("my db");
        connection.SslMode.ShouldBe(SslMode.VerifyFull);
        connection.ApplicationName.ShouldBe("a b");
    }

    [Fact]
    public void What_is_formatted_is_parsed_again()
    {
        var connection = DatabaseUrl.Parse(DatabaseUrl.Format("u@", "p:/?#%", "127.0.0.1", 5433, "d d"));

        (connection.Username, connection.Password, connection.Host, connection.Database).ShouldBe(
            ("u@", "p:/?#%", "127.0.0.1:5433", "d d"));
    }

    [Theory]
    [InlineData("Host=x;Password=secret")]
    [InlineData("https://u:secret@host/x")]
    [InlineData("postgresql://u:secret@host/x?sslmode=maybe")]
    [InlineData("postgresql://u:secret@host/x?unknown=1")]
    public void What_is_not_understood_is_refused_without_its_password(string url) =>
        Should.Throw<FormatException>(() => DatabaseUrl.Parse(url)).Message.ShouldNotContain("secret");
}
