/* Shows whether gcc can link with the sanitizers. */
int main(void) { return 0; }
